// What the end-to-end tests share: the program under test, a folder to write to, its complaints.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/data.h"
#include "tests/support/run_program.h"

namespace cli {

namespace fs = std::filesystem;
using tests::Environment;
using tests::Outcome;
using tests::read_file;

inline std::string program() {
  const char* path = std::getenv("FULGURITE_PROGRAM");
  return path ? path : "build/fulgurite";
}

inline const Environment kNoDisplay = {{"DISPLAY", std::nullopt},
                                       {"WAYLAND_DISPLAY", std::nullopt}};

// Runs the program with these words and, unless told otherwise, with no display.
inline Outcome fulgurite(std::vector<std::string> words,
                         const Environment& environment = kNoDisplay,
                         std::chrono::seconds limit = std::chrono::seconds(240)) {
  words.insert(words.begin(), program());
  return tests::run_program(std::move(words), environment, limit);
}

inline void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline auto line_count(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

// The program gave up with this code and said why in exactly one line that holds `named`.
inline void expect_refusal(const Outcome& outcome, int exit_code, const std::string& named) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  EXPECT_EQ(line_count(outcome.err), 1) << outcome.err;
  EXPECT_NE(outcome.err.find(named), std::string::npos) << outcome.err;
}

// No control sequences and no carriage returns: what a log or a pipe wants to see.
inline void expect_plain(const std::string& text) {
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos) << text;
}

// A test with an empty folder of its own.
class InFolder : public testing::Test {
 protected:
  std::string in_folder(const std::string& name) const { return folder_.file(name); }

  const tests::TempFolder folder_;
};

// For tests that draw: without a Vulkan driver they are skipped, or fail if
// FULGURITE_REQUIRE_GPU=1.
class Drawing : public InFolder {
 protected:
  void SetUp() override {
    static const Outcome probe = fulgurite(
        {"shot", "-p", "A", "-n", "1", "--window-size", "64x64", "-o", in_folder("probe.png")});
    const char* required = std::getenv("FULGURITE_REQUIRE_GPU");
    if (probe.exit_code == 4 && !(required && std::string(required) == "1")) {
      GTEST_SKIP() << "no Vulkan driver: " << probe.err;
    }
    ASSERT_EQ(probe.exit_code, 0) << probe.err;
  }
};

}  // namespace cli
