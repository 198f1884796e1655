// Runs in the root of the repository.
#include "tests/repository/rules.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/run_program.h"

namespace {

namespace fs = std::filesystem;

std::vector<rules::SourceFile> sources() {
  std::vector<rules::SourceFile> files;
  const auto add = [&](const fs::path& path) {
    const std::string extension = path.extension();
    if (extension != ".h" && extension != ".cpp" && extension != ".glsl" && extension != ".comp" &&
        extension != ".vert" && extension != ".frag") {
      return;
    }
    std::ifstream in(path, std::ios::binary);
    files.push_back({path.generic_string(), {std::istreambuf_iterator<char>(in), {}}});
  };
  for (const char* folder : {"model", "engine", "render", "shaders", "assets", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) add(entry.path());
    }
  }
  add("main.cpp");
  return files;
}

bool is_cpp(const rules::SourceFile& file) {
  return file.path.ends_with(".h") || file.path.ends_with(".cpp");
}

void expect_none(const std::vector<std::string>& complaints) {
  for (const std::string& complaint : complaints) ADD_FAILURE() << complaint;
}

TEST(Repository, WalkFindsTheFourRooms) {
  int model = 0, engine = 0, render = 0, shaders = 0;
  for (const rules::SourceFile& file : sources()) {
    model += file.path.starts_with("model/");
    engine += file.path.starts_with("engine/");
    render += file.path.starts_with("render/");
    shaders += file.path.starts_with("shaders/");
    EXPECT_FALSE(file.text.empty()) << file.path;
  }
  EXPECT_GT(model, 10);
  EXPECT_GT(engine, 10);
  EXPECT_GT(render, 10);
  EXPECT_GT(shaders, 5);
}

TEST(Repository, IncludesFollowTheTable) {
  for (const rules::SourceFile& file : sources()) {
    if (is_cpp(file)) expect_none(rules::check_includes(file));
  }
}

TEST(Repository, HeadersAreGuarded) {
  for (const rules::SourceFile& file : sources()) expect_none(rules::check_guard(file));
}

TEST(Repository, OwnHeaderComesFirst) {
  for (const rules::SourceFile& file : sources()) {
    expect_none(rules::check_own_header_first(
        file, fs::exists(fs::path(file.path).replace_extension(".h"))));
  }
}

TEST(Repository, FilesStayShort) {
  for (const rules::SourceFile& file : sources()) expect_none(rules::check_length(file));
}

TEST(Repository, TopLevelHoldsOnlyTheHouse) {
  const tests::Outcome git = tests::run_program({"git", "ls-files"});
  if (git.exit_code != 0) GTEST_SKIP() << "no git, or no clone: " << git.err;
  std::istringstream lines(git.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(rules::allowed_at_top(line.substr(0, line.find('/')))) << line;
  }
}

// The rules see what they are meant to see.

size_t complaints_about(const std::string& path, const std::string& include) {
  return rules::check_includes({path, "// a file\n#include " + include + "\n"}).size();
}

TEST(Rules, RefuseWhatTheTableRefuses) {
  EXPECT_EQ(complaints_about("model/a.cpp", "\"engine/session.h\""), 1u);
  EXPECT_EQ(complaints_about("model/a.cpp", "<fmt/format.h>"), 1u);
  EXPECT_EQ(complaints_about("engine/trace/a.h", "\"model/tensor.h\""), 1u);
  EXPECT_EQ(complaints_about("engine/trace/a.h", "\"engine/session.h\""), 1u);
  EXPECT_EQ(complaints_about("engine/control.h", "\"engine/session.h\""), 1u);
  EXPECT_EQ(complaints_about("engine/session.cpp", "\"render/frame.h\""), 1u);
  EXPECT_EQ(complaints_about("engine/session.cpp", "<vulkan/vulkan.h>"), 1u);
  EXPECT_EQ(complaints_about("engine/session.cpp", "<GLFW/glfw3.h>"), 1u);
  EXPECT_EQ(complaints_about("engine/session.cpp", "<imgui.h>"), 1u);
  EXPECT_EQ(complaints_about("render/ui/a.cpp", "\"model/tensor.h\""), 1u);
  EXPECT_EQ(complaints_about("render/ui/a.cpp", "\"engine/session.h\""), 1u);
  EXPECT_EQ(complaints_about("render/ui/a.cpp", "<Eigen/Dense>"), 1u);
  EXPECT_EQ(complaints_about("render/ui/a.cpp", "\"../model/tensor.h\""), 1u);
  EXPECT_EQ(complaints_about("render/scene/a.cpp", "<vulkan/vulkan.h>"), 1u);
  EXPECT_EQ(complaints_about("render/scene/a.cpp", "<imgui.h>"), 1u);
  EXPECT_EQ(complaints_about("render/scene/a.cpp", "\"render/gpu/device.h\""), 1u);
  EXPECT_EQ(complaints_about("render/scene/a.cpp", "  \"model/config.h\"  // why"), 1u);
}

TEST(Rules, AllowWhatTheTableAllows) {
  EXPECT_EQ(complaints_about("model/a.cpp", "<Eigen/Dense>"), 0u);
  EXPECT_EQ(complaints_about("model/a.cpp", "<sys/mman.h>"), 0u);
  EXPECT_EQ(complaints_about("engine/trace/a.h", "\"model/error.h\""), 0u);
  EXPECT_EQ(complaints_about("engine/session.cpp", "\"model/arch/llama.h\""), 0u);
  EXPECT_EQ(complaints_about("render/ui/a.cpp", "\"engine/control.h\""), 0u);
  EXPECT_EQ(complaints_about("render/scene/a.cpp", "<glm/glm.hpp>"), 0u);
  EXPECT_EQ(complaints_about("main.cpp", "\"engine/session.h\""), 0u);
}

TEST(Rules, SeeMissingGuards) {
  EXPECT_EQ(rules::check_guard({"model/a.h", "int x;\n"}).size(), 1u);
  EXPECT_EQ(rules::check_guard({"model/a.h", "// no #pragma once here\n"}).size(), 1u);
  EXPECT_EQ(rules::check_guard({"shaders/shared.h", "#pragma once\n"}).size(), 1u);
  EXPECT_EQ(rules::check_guard({"model/a.h", "#pragma once\n"}).size(), 0u);
}

TEST(Rules, SeeAForeignHeaderFirst) {
  const std::string text = "#include <vector>\n#include \"model/a.h\"\n";
  EXPECT_EQ(rules::check_own_header_first({"model/a.cpp", text}, true).size(), 1u);
  EXPECT_EQ(rules::check_own_header_first({"model/a.cpp", text}, false).size(), 0u);
  EXPECT_EQ(rules::check_own_header_first({"model/a.cpp", "#include \"model/a.h\"\n"}, true).size(),
            0u);
}

TEST(Rules, SeeLongFilesAndStrangers) {
  EXPECT_EQ(rules::check_length({"model/a.cpp", std::string(601, '\n')}).size(), 1u);
  EXPECT_EQ(rules::check_length({"model/a.cpp", std::string(600, '\n')}).size(), 0u);
  EXPECT_FALSE(rules::allowed_at_top("src"));
  EXPECT_FALSE(rules::allowed_at_top("notes.txt"));
  EXPECT_TRUE(rules::allowed_at_top(".clang-format"));
  EXPECT_TRUE(rules::allowed_at_top("render"));
}

}  // namespace
