#include "tests/repository/rules.h"

#include <algorithm>
#include <array>
#include <regex>
#include <sstream>

namespace rules {
namespace {

struct Include {
  std::string target;  // what stands between the quotes or brackets
  bool ours = false;   // quoted
  int line = 0;
};

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  std::vector<Include> found;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    if (std::regex_match(line, match, pattern)) {
      found.push_back({match[2], match[1] == "\"", number});
    }
  }
  return found;
}

bool starts_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

// The C++ standard library (no dot, no folder), POSIX and the compiler's own headers.
bool is_system(std::string_view header) {
  static const std::vector<std::string_view> system = {
      "unistd.h", "fcntl.h",     "poll.h",    "signal.h",    "pthread.h", "sched.h", "dirent.h",
      "sys/",     "immintrin.h", "cpuid.h",   "x86intrin.h", "netinet/",  "arpa/",   "spawn.h",
      "endian.h", "arm_neon.h",  "termios.h", "xmmintrin.h", "pwd.h"};
  return header.find_first_of("./") == std::string_view::npos || starts_with_any(header, system);
}

struct Room {
  std::vector<std::string_view> folders;  // the first room that fits a path holds it
  std::vector<std::string_view> ours;     // what of ours it may include, by prefix
  std::vector<std::string_view> others;   // libraries, by prefix; the system's headers always
};

// The table of the README, one row a room; everyone may include model/error.h.
const std::vector<Room>& house() {
  static const std::vector<Room> rooms = {
      // JSON of strangers: config.json, tokenizer.json and the headers of safetensors.
      {{"model/format/"}, {"model/"}, {"Eigen/", "nlohmann/"}},
      {{"model/"}, {"model/"}, {"Eigen/"}},
      {{"engine/trace/", "engine/control.h"}, {"engine/trace/", "engine/control.h"}, {"zlib.h"}},
      // What main.cpp would be too long for: the flags that commands share, and whole commands.
      {{"engine/commands/files.", "engine/commands/flags.", "engine/commands/readings.",
        "engine/commands/running."},
       {"engine/", "model/", "assets/"},
       {"CLI/"}},
      {{"engine/"}, {"engine/", "model/", "assets/"}, {"fmt/", "nlohmann/"}},
      {{"render/scene/"},
       {"render/scene/", "engine/trace/", "shaders/shared.h"},
       {"glm/", "fmt/", "fribidi.h"}},
      {{"render/"},
       {"render/", "engine/trace/", "engine/control.h", "shaders/"},
       {"vulkan/", "GLFW/", "imgui", "backends/imgui", "glm/", "ft2build.h", "freetype/",
        "fontconfig/", "png.h", "fmt/", "nlohmann/"}},
      {{"shaders/"}, {"shaders/"}, {"glm/"}},
      {{"assets/"}, {"assets/"}, {}},
  };
  return rooms;
}

struct Exception {
  std::string_view path;
  std::string_view reason;
};
// Longer than kMaxLines, and one idea all the same.
constexpr std::array<Exception, 0> kLongFiles{};

std::string at(const SourceFile& file, int line, const std::string& complaint) {
  return file.path + ":" + std::to_string(line) + ": " + complaint;
}

}  // namespace

std::vector<std::string> check_includes(const SourceFile& file) {
  std::vector<std::string> complaints;
  const auto room = std::find_if(house().begin(), house().end(), [&](const Room& candidate) {
    return starts_with_any(file.path, candidate.folders);
  });
  if (room == house().end()) return complaints;  // main.cpp and tests/ may see everything
  for (const Include& include : includes_of(file.text)) {
    const bool allowed =
        include.ours
            ? include.target == "model/error.h" || starts_with_any(include.target, room->ours)
            : is_system(include.target) || starts_with_any(include.target, room->others);
    if (!allowed) {
      complaints.push_back(
          at(file, include.line,
             std::string(room->folders.front()) + " may not include " + include.target));
    }
  }
  return complaints;
}

std::vector<std::string> check_guard(const SourceFile& file) {
  if (!file.path.ends_with(".h")) return {};
  const bool shared = file.path == "shaders/shared.h";
  const std::string wanted = shared ? "#ifndef FULGURITE_SHADERS_SHARED_H" : "#pragma once";
  if (("\n" + file.text).find("\n" + wanted + "\n") != std::string::npos) return {};
  return {at(file, 1, "no " + wanted)};
}

std::vector<std::string> check_own_header_first(const SourceFile& file, bool header_exists) {
  if (!file.path.ends_with(".cpp") || !header_exists) return {};
  const std::string header = file.path.substr(0, file.path.size() - 4) + ".h";
  const std::vector<Include> includes = includes_of(file.text);
  if (!includes.empty() && includes.front().ours && includes.front().target == header) return {};
  return {at(file, includes.empty() ? 1 : includes.front().line,
             "its own header comes first: " + header)};
}

std::vector<std::string> check_length(const SourceFile& file) {
  const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
  if (lines <= kMaxLines) return {};
  for (const Exception& exception : kLongFiles) {
    if (exception.path == file.path) return {};
  }
  return {at(file, static_cast<int>(lines), "more than " + std::to_string(kMaxLines) + " lines")};
}

bool allowed_at_top(std::string_view name) {
  static const std::vector<std::string_view> names = {
      "CMakeLists.txt", "CMakePresets.json", "main.cpp", "engine",
      "render",         "shaders",           "model",    "assets",
      "tests",          "README.md",         "run.sh",   "test.sh",
      "LICENSE"};
  return name.starts_with('.') || std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace rules
