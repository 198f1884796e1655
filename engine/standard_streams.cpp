#include "engine/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

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

}  // namespace engine
