// Where tests find files: tests/data of the repository, and the larger shared data beside
// it, which a plain clone does not have.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tests {

// Tests run in the root of the repository (see tests/CMakeLists.txt).
inline std::filesystem::path repository() {
  return std::filesystem::current_path();
}

inline std::filesystem::path data(const std::string& name) {
  return repository() / "tests" / "data" / name;
}

// FULGURITE_DATA, or ../shared/data beside the repository.
inline std::filesystem::path shared_data(const std::string& name = {}) {
  const char* set = std::getenv("FULGURITE_DATA");
  const std::filesystem::path root =
      set && *set ? std::filesystem::path(set) : repository().parent_path() / "shared" / "data";
  return root / name;
}

// A model's file: own/NAME is one of tests/data, others are below the shared data's models/, those
// without a folder in synth/ there.
inline std::filesystem::path model_path(const std::string& name) {
  if (name.starts_with("own/")) return data("models/" + name.substr(4) + ".gguf");
  const bool in_folder = name.find('/') != std::string::npos;
  return shared_data((in_folder ? "models/" : "models/synth/") + name + ".gguf");
}

inline bool shared_data_required() {
  const char* set = std::getenv("FULGURITE_REQUIRE_DATA");
  return set && *set && std::string(set) != "0";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(read_file(path));
}

// Passes when `text` holds every one of the words.
inline ::testing::AssertionResult contains(const std::string& text,
                                           const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (text.find(word) == std::string::npos) {
      return ::testing::AssertionFailure() << "no \"" << word << "\" in \"" << text << "\"";
    }
  }
  return ::testing::AssertionSuccess();
}

// A folder of its own for one test, removed at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fulgurite-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace tests

// First line of a test that needs the shared data: skips aloud without it, and fails where
// FULGURITE_REQUIRE_DATA is set.
#define REQUIRE_SHARED_DATA()                                                               \
  do {                                                                                      \
    if (!std::filesystem::exists(tests::shared_data())) {                                   \
      ASSERT_FALSE(tests::shared_data_required()) << tests::shared_data() << " is missing"; \
      GTEST_SKIP() << "needs the shared test data; set FULGURITE_DATA to its folder";       \
    }                                                                                       \
  } while (false)

#define EXPECT_CONTAINS(text, ...) EXPECT_TRUE(tests::contains(text, {__VA_ARGS__}))
