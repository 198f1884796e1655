#include "render/video/process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/error.h"

namespace render {
namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw Error(ExitCode::kRecordingFailed, std::strerror(errno), "pipe");
    read = ends[0];
    write = ends[1];
  }
};

// The last line that says something, of a stream that arrives in pieces.
void listen(int from, std::string& last) {
  std::string line;
  char buffer[4096];
  for (ssize_t n; (n = ::read(from, buffer, sizeof(buffer))) > 0 || (n < 0 && errno == EINTR);) {
    for (ssize_t i = 0; i < n; ++i) {
      const char c = buffer[i];
      if (c != '\n' && c != '\r') {
        line += c;
      } else if (!line.empty()) {
        last = std::exchange(line, {});
      }
    }
  }
  if (!line.empty()) last = line;
  ::close(from);
}

}  // namespace

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "/usr/bin:/bin";
  for (size_t begin = 0; begin <= folders.size();) {
    const size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string file = folders.substr(begin, end - begin) + "/" + name;
    if (end > begin && ::access(file.c_str(), X_OK) == 0) return file;
    begin = end + 1;
  }
  return {};
}

Process::Process(const std::vector<std::string>& arguments) {
  const Pipe in, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, err.write, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t usual;  // this program ignores it
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int failed = ::posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(in.read);
  ::close(err.write);
  if (failed != 0) {
    ::close(in.write);
    ::close(err.read);
    throw Error(ExitCode::kRecordingFailed, std::strerror(failed), arguments.front());
  }
  input_ = in.write;
#ifdef F_SETPIPE_SZ
  ::fcntl(input_, F_SETPIPE_SZ, 1 << 20);  // fewer turns a frame; where it is refused, more turns
#endif
  listener_ = std::thread([this, from = err.read] { listen(from, last_line_); });
}

Process::~Process() {
  finish();
}

bool Process::write(std::span<const std::byte> bytes) {
  // A reader that is gone is an answer here, not a signal for the whole program.
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  bool written = true;
  while (!bytes.empty()) {
    const ssize_t n = ::write(input_, bytes.data(), bytes.size());
    if (n > 0) {
      bytes = bytes.subspan(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      written = false;
      break;
    }
  }
  if (!written) {
    const timespec now{};
    sigtimedwait(&pipe, nullptr, &now);  // takes the pending SIGPIPE
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return written;
}

int Process::finish() {
  if (pid_ < 0) return status_;
  ::close(input_);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  listener_.join();
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

}  // namespace render
