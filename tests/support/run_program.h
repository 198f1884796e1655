// Starts a program and collects what it says: for end-to-end tests. POSIX only.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tests {

// Changes to the environment of the child; nullopt takes a variable away.
using Environment = std::map<std::string, std::optional<std::string>>;

struct Outcome {
  int exit_code = -1;  // 128 + signal when a signal ended it; -1: ran past its time and was killed
  std::string out;     // stdout, whole
  std::string err;     // stderr, whole
};

// A running child; killed when this object dies. stdin is empty. Its output goes to unnamed
// files, so it never blocks on a pipe that nobody reads. Not thread-safe.
class Process {
 public:
  explicit Process(std::vector<std::string> words, const Environment& environment = {})
      : out_(std::tmpfile()), err_(std::tmpfile()) {
    if (!out_ || !err_) throw std::runtime_error("no temporary file");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      for (const auto& [name, value] : environment) {
        if (value) {
          setenv(name.c_str(), value->c_str(), 1);
        } else {
          unsetenv(name.c_str());
        }
      }
      dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
      dup2(fileno(out_), STDOUT_FILENO);
      dup2(fileno(err_), STDERR_FILENO);
      execvp(argv[0], argv.data());
      std::perror(argv[0]);
      _exit(127);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::fclose(out_);
    std::fclose(err_);
  }

  void send(int signal_number) const {
    if (pid_ > 0) kill(pid_, signal_number);
  }

  // True while the child has not ended.
  bool running() {
    int status = 0;
    if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) == 0) return pid_ > 0;
    exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    pid_ = 0;
    return false;
  }

  // Waits for the end; past the limit the child is killed and exit_code is -1.
  Outcome wait(std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (running()) {
      if (std::chrono::steady_clock::now() > end) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {exit_code_, out(), err()};
  }

  // Of all its threads so far; 0 once it has ended.
  double cpu_seconds() const {
    clockid_t clock{};
    timespec time{};
    if (pid_ <= 0 || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0)
      return 0;
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }

  // What it has said so far.
  std::string out() const { return contents(out_); }
  std::string err() const { return contents(err_); }

 private:
  static std::string contents(std::FILE* file) {
    std::string text;
    char block[65536];
    for (;;) {
      const ssize_t n = pread(fileno(file), block, sizeof block, static_cast<off_t>(text.size()));
      if (n <= 0) return text;
      text.append(block, static_cast<size_t>(n));
    }
  }

  std::FILE* out_;
  std::FILE* err_;
  pid_t pid_ = 0;
  int exit_code_ = -1;
};

inline Outcome run_program(std::vector<std::string> words, const Environment& environment = {},
                           std::chrono::seconds limit = std::chrono::seconds(120)) {
  return Process(std::move(words), environment).wait(limit);
}

}  // namespace tests
