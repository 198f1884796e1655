// Sockets of this machine alone: a port of its loopback interface, or a path. What comes from
// another machine comes through whoever was let in there: ssh -L.
#pragma once

#include <string>
#include <utility>

namespace trace {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int fd() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

// An address is "tcp:PORT", "tcp:127.0.0.1:PORT", "tcp:localhost:PORT" or "unix:PATH". True when it
// begins as one.
bool is_address(const std::string& text);
// The PATH of "unix:PATH"; empty: it is none.
std::string path_in(const std::string& address);

// Throw Error (usage) when it is no address, or one of another machine; (failed) when that does not
// work. listen_at: port 0 is one that is free, and then told in `address`; only this user can
// connect to a path, and a path that nobody listens at any more is taken over. Both sockets are
// nonblocking.
Descriptor listen_at(std::string& address);
Descriptor connect_to(const std::string& address);

}  // namespace trace
