// A child program fed through its stdin, with its stderr kept: what the encoder needs of POSIX.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace render {

// The program in PATH, or an empty string.
std::string find_program(const std::string& name);

class Process {
 public:
  // Starts it in a process group of its own, so that Ctrl-C in the terminal does not reach it;
  // stdout is discarded. Throws Error (recording_failed).
  explicit Process(const std::vector<std::string>& arguments);
  ~Process();  // closes its stdin and waits for its end
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // False: it has died or no longer reads.
  bool write(std::span<const std::byte> bytes);
  // Closes its stdin and waits; its exit status, or 128 + the signal that ended it.
  int finish();
  // What it said last on stderr; only after finish().
  const std::string& last_line() const noexcept { return last_line_; }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int status_ = 0;
  std::string last_line_;
  std::thread listener_;
};

}  // namespace render
