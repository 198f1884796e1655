// The house rules that a compiler does not see, as pure functions from a file's path and text to
// complaints, so that the rules themselves can be tested (rules_test.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rules {

// path: from the root of the repository, '/' between folders. text: the whole file.
struct SourceFile {
  std::string path;
  std::string text;
};

// Who may include whom: the table in the README. One complaint an offending line.
std::vector<std::string> check_includes(const SourceFile& file);

// Headers: #pragma once (shaders/shared.h: a guard, for GLSL reads it too).
std::vector<std::string> check_guard(const SourceFile& file);

// folder/name.cpp includes "folder/name.h" before anything else, if that header exists.
std::vector<std::string> check_own_header_first(const SourceFile& file, bool header_exists);

// At most kMaxLines lines, save the files named in rules.cpp with their reason.
inline constexpr int kMaxLines = 600;
std::vector<std::string> check_length(const SourceFile& file);

// Whether a name may stand at the top of the tree. Dotfiles may.
bool allowed_at_top(std::string_view name);

}  // namespace rules
