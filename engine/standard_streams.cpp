#include "engine/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace engine {

void keep_standard_streams() noexcept {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // What is written to a closed stdout is lost, and the writer must learn of it.
    const int mode = stream == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (fcntl(stream, F_GETFD) == -1 && open("/dev/null", mode) == -1) std::abort();
  }
}

void ignore_failing_writes() noexcept {
  std::signal(SIGPIPE, SIG_IGN);
#if defined(SIGXFSZ)
  std::signal(SIGXFSZ, SIG_IGN);
#endif
}

bool reader_is_gone() noexcept {
  pollfd out{STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

void end_without_reader() noexcept {
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  std::_Exit(EXIT_FAILURE);  // where it is blocked
}

void tell(const std::string& line) noexcept {
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace engine
