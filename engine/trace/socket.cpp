#include "engine/trace/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "model/error.h"

namespace trace {

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

constexpr std::string_view kTcp = "tcp:";
constexpr std::string_view kUnix = "unix:";

struct Place {
  sockaddr_storage address = {};
  socklen_t bytes = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  bool is_path() const { return address.ss_family == AF_UNIX; }
};

Place path_of(const std::string& text) {
  const std::string path = path_in(text);
  sockaddr_un to = {};
  if (path.empty() || path.size() >= sizeof to.sun_path || path.find('\0') != std::string::npos) {
    throw Error(ExitCode::kUsage, "is no path of a socket", text,
                "unix:PATH has at most " + std::to_string(sizeof to.sun_path - 1) + " bytes");
  }
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.data(), path.size());
  Place place;
  std::memcpy(&place.address, &to, sizeof to);
  place.bytes = sizeof to;
  return place;
}

Place port_of(const std::string& text) {
  std::string_view port = std::string_view(text).substr(kTcp.size());
  if (const size_t colon = port.rfind(':'); colon != std::string_view::npos) {
    const std::string_view host = port.substr(0, colon);
    if (host != "127.0.0.1" && host != "localhost") {
      throw Error(ExitCode::kUsage, "is not an address of this machine", text,
                  "tcp:PORT; to reach another: ssh -L PORT:127.0.0.1:PORT HOST");
    }
    port.remove_prefix(colon + 1);
  }
  uint16_t number = 0;
  const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (wrong != std::errc() || end != port.data() + port.size()) {
    throw Error(ExitCode::kUsage, "is no port", text, "tcp:PORT, from 0 to 65535");
  }
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(number);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Place place;
  std::memcpy(&place.address, &to, sizeof to);
  place.bytes = sizeof to;
  return place;
}

Place place_of(const std::string& text) {
  if (text.starts_with(kTcp)) return port_of(text);
  if (text.starts_with(kUnix)) return path_of(text);
  throw Error(ExitCode::kUsage, "is no address", text, "tcp:PORT or unix:PATH");
}

Error failed(const std::string& what, const std::string& address, const std::string& hint) {
  return {ExitCode::kFailed, what + ": " + std::strerror(errno), address, hint};
}

Descriptor make_socket(const Place& place, const std::string& address) {
  Descriptor made(::socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!made) throw failed("cannot make a socket", address, "");
  return made;
}

void no_waiting(const Descriptor& socket) {
  ::fcntl(socket.fd(), F_SETFL, ::fcntl(socket.fd(), F_GETFL) | O_NONBLOCK);
}

// What a program that was killed has left. The probe is of another kind than who may listen there,
// so that it is never a visitor.
void remove_abandoned(const Place& place, const std::string& address) {
  const std::string path = path_in(address);
  struct stat found = {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  const Descriptor probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.fd(), place.get(), place.bytes) != 0 && errno == ECONNREFUSED)
    ::unlink(path.c_str());
}

// Of a connection that was begun; 0, or what errno would be.
int connected(const Descriptor& socket) {
  constexpr int kPatience = 3000;  // ms
  pollfd one = {socket.fd(), POLLOUT, 0};
  if (::poll(&one, 1, kPatience) < 1) return ETIMEDOUT;
  int error = 0;
  socklen_t bytes = sizeof error;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &bytes);
  return error;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

bool is_address(const std::string& text) {
  return text.starts_with(kTcp) || text.starts_with(kUnix);
}

std::string path_in(const std::string& address) {
  return address.starts_with(kUnix) ? address.substr(kUnix.size()) : std::string();
}

Descriptor listen_at(std::string& address) {
  Place place = place_of(address);
  if (place.is_path()) remove_abandoned(place, address);
  Descriptor socket = make_socket(place, address);
  const int on = 1;
  if (!place.is_path()) ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.fd(), place.get(), place.bytes) != 0)
    throw failed("nothing can listen there", address, "choose another address");
  // Before anybody can connect.
  if (place.is_path()) ::chmod(path_in(address).c_str(), S_IRUSR | S_IWUSR);
  if (::listen(socket.fd(), 16) != 0)
    throw failed("nothing can listen there", address, "choose another address");
  if (!place.is_path()) {
    sockaddr_in bound = {};
    socklen_t bytes = sizeof bound;
    ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&bound), &bytes);
    address = std::string(kTcp) + std::to_string(ntohs(bound.sin_port));
  }
  no_waiting(socket);
  return socket;
}

Descriptor connect_to(const std::string& address) {
  const Place place = place_of(address);
  Descriptor socket = make_socket(place, address);
  no_waiting(socket);
  if (::connect(socket.fd(), place.get(), place.bytes) == 0) return socket;
  if (errno == EINPROGRESS) errno = connected(socket);
  if (errno == 0) return socket;
  throw failed("cannot be reached", address, "start there what it shows, with --serve " + address);
}

}  // namespace trace
