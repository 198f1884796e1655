// A file's bytes, mapped read-only.
//
// A file that shrinks while it is mapped has pages with nothing behind them; touching one raises
// SIGBUS, which no function can report. The handler that the first open() installs knows every
// mapped file: it names the one in a sentence on stderr and ends the program with exit code 3
// (bad model). A SIGBUS at any other address takes its default course.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace model {

class Mapping {
 public:
  // Throws Error (bad_model): missing, a directory, not a regular file, unreadable.
  static std::shared_ptr<const Mapping> open(const std::string& path);

  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  Mapping() = default;
  std::span<const std::byte> bytes_;
  std::string shown_;  // the path, fit for a terminal
  size_t slot_ = 0;    // in the handler's table
};

}  // namespace model
