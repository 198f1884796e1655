// The one error that input, files and devices may cause. This header needs only
// the standard library and is the single file of ours that every folder may include.
//
// Bad input and broken devices throw Error; it is caught and printed once, in main.cpp,
// as "fulgurite: WHERE: WHAT (HINT)", and the program ends with its exit code.
// A bug in the program is a CHECK (aborts), never an Error.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

namespace fulgurite {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kBadModel = 3,
  kNoVulkan = 4,
  kDeviceLost = 5,
  kRecordingFailed = 6,
};

class Error : public std::runtime_error {
 public:
  // what: a sentence without a full stop. where: a file, flag or tensor; may be empty.
  // hint: how to mend it; may be empty.
  Error(ExitCode code, std::string what, std::string where = {}, std::string hint = {})
      : std::runtime_error(one_line(what, where, hint)), code_(code), where_(std::move(where)) {}

  ExitCode code() const noexcept { return code_; }
  const std::string& where() const noexcept { return where_; }

 private:
  static std::string one_line(const std::string& what, const std::string& where,
                              const std::string& hint) {
    std::string line = where.empty() ? what : where + ": " + what;
    if (!hint.empty()) line += " (" + hint + ")";
    return line;
  }

  ExitCode code_;
  std::string where_;
};

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "fulgurite: bug: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace fulgurite

#define CHECK(condition) \
  ((condition) ? (void)0 : ::fulgurite::check_failed(#condition, __FILE__, __LINE__))
