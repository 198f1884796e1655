#include "model/format/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "model/error.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::shared_ptr<const Mapping> Mapping::open(const std::string& path) {
  const auto fail = [&](std::string what, std::string hint = {}) {
    throw Error(ExitCode::kBadModel, std::move(what), path, std::move(hint));
  };
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  };
  // O_NONBLOCK: a named pipe must not make us wait for a writer.
  const Descriptor descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (descriptor.fd < 0) {
    if (errno == ENOENT) fail("no such file", "check the path");
    fail(std::string("cannot be opened: ") + std::generic_category().message(errno));
  }
  struct stat info {};
  if (::fstat(descriptor.fd, &info) != 0) {
    fail(std::string("cannot be examined: ") + std::generic_category().message(errno));
  }
  if (S_ISDIR(info.st_mode)) fail("is a directory", "name a .gguf file inside it");
  if (!S_ISREG(info.st_mode)) fail("is not a regular file", "name a .gguf file");
  const auto n = static_cast<size_t>(info.st_size);
  std::shared_ptr<Mapping> mapping(new Mapping);
  if (n > 0) {
    void* address = ::mmap(nullptr, n, PROT_READ, MAP_PRIVATE, descriptor.fd, 0);
    if (address == MAP_FAILED) {
      fail(std::string("cannot be mapped: ") + std::generic_category().message(errno));
    }
    mapping->bytes_ = {static_cast<const std::byte*>(address), n};
  }
  return mapping;
}

}  // namespace model
