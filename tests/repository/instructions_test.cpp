// A machine without AVX must never meet an instruction that it does not have: only what is chosen
// at run time may hold any. An inline function (of std::vector, say) that is compiled for several
// sets is kept once, and might be the one of the widest.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace {

// Namespaces of the sets, and functions whose names end with theirs.
bool chosen_at_run_time(std::string_view function) {
  constexpr std::array sets = {"isa_avx", "Eigen_avx", "_avx2", "_avx512"};
  return std::any_of(sets.begin(), sets.end(),
                     [&](const char* set) { return function.find(set) != function.npos; });
}

// Of AVX and later: their names begin with v, their operands are vectors.
bool is_wide(std::string_view instruction) {
  return (instruction.starts_with('v') && instruction.find("mm") != instruction.npos) ||
         instruction.starts_with("tile") || instruction.starts_with("tdp");
}

TEST(Instructions, OnlyWhatIsChosenAtRunTimeIsWide) {
#if !defined(__x86_64__) || !defined(NDEBUG)
  GTEST_SKIP() << "of release builds for x86-64";
#else
  const char* program = std::getenv("FULGURITE_PROGRAM");
  ASSERT_NE(program, nullptr);
  const std::string command = std::string("objdump -d --no-show-raw-insn -C '") + program + "'";
  const auto close = [](std::FILE* pipe) { pclose(pipe); };
  const std::unique_ptr<std::FILE, decltype(close)> listing(popen(command.c_str(), "r"), close);
  ASSERT_NE(listing, nullptr);
  std::array<char, 4096> line;
  std::string function;
  std::set<std::string> wide;
  std::set<std::string> chosen;
  while (std::fgets(line.data(), line.size(), listing.get()) != nullptr) {
    const std::string_view text(line.data());
    if (text.find(">:") != text.npos && !text.starts_with(' ')) function = text;
    const size_t tab = text.rfind('\t');
    if (tab == text.npos || !is_wide(text.substr(tab + 1))) continue;
    (chosen_at_run_time(function) ? chosen : wide).insert(function);
  }
  EXPECT_GT(chosen.size(), 50U) << "were they read at all?";
  for (const std::string& name : wide) ADD_FAILURE() << name;
#endif
}

}  // namespace
