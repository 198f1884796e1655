#include "engine/trace/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <span>
#include <utility>

#include "engine/trace/mcap.h"

namespace trace {

namespace {

using std::chrono::milliseconds;

constexpr int kPatience = 50;         // ms between two looks at whether all this is still wanted
constexpr milliseconds kNews{10};     // between two looks at the log
constexpr size_t kAtOnce = 4U << 20;  // bytes of the log that are copied for a viewer

// Thrown in a viewer's thread alone.
struct Gone {};

bool can(int fd, short what) {
  pollfd one = {fd, what, 0};
  return ::poll(&one, 1, kPatience) > 0;
}

// Which file a path names; zeros: none.
std::pair<uint64_t, uint64_t> id_of(const std::string& path) {
  struct stat found = {};
  if (path.empty() || ::lstat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

// A viewer says nothing: what is readable is its end.
bool has_left(int fd) {
  char ignored[64];
  const ssize_t n = ::recv(fd, ignored, sizeof ignored, MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void send_all(int fd, std::span<const std::byte> bytes, const std::stop_token& stop) {
  while (!bytes.empty()) {
    if (stop.stop_requested()) throw Gone{};
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      can(fd, POLLOUT);
    } else if (errno != EINTR) {
      throw Gone{};
    }
  }
}

}  // namespace

Server::Server(Log& log, std::string address)
    : log_(log),
      address_(std::move(address)),
      socket_(listen_at(address_)),
      path_(path_in(address_)),
      id_(id_of(path_)),
      thread_([this](const std::stop_token& stop) { listen(stop); }) {}

Server::~Server() {
  thread_.request_stop();
  thread_.join();
  for (Viewer& viewer : viewers_) viewer.thread.request_stop();
  if (id_of(path_) == id_) ::unlink(path_.c_str());
}

void Server::finish(const std::function<bool()>& give_up) {
  ending_ = true;
  while (watching_ > 0 && !give_up()) std::this_thread::sleep_for(kNews);
}

void Server::listen(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    viewers_.remove_if([](const Viewer& viewer) { return viewer.gone.load(); });
    if (!can(socket_.fd(), POLLIN)) continue;
    Descriptor accepted(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) {
      std::this_thread::sleep_for(kNews);  // too many files are open, it may be
      continue;
    }
    if (watching_ >= kMostViewers) continue;
    ++watching_;
    const size_t viewers = viewers_.size();
    try {
      Viewer& viewer = viewers_.emplace_back();
      viewer.socket = std::move(accepted);
      viewer.thread = std::jthread([this, &viewer](const std::stop_token& s) { serve(s, viewer); });
    } catch (const std::exception&) {  // there are too many threads, or there is no memory
      --watching_;
      viewers_.resize(viewers);
    }
  }
}

void Server::serve(const std::stop_token& stop, Viewer& viewer) {
  const int fd = viewer.socket.fd();
  try {
    McapWriter stream(log_, [&](std::span<const std::byte> bytes) { send_all(fd, bytes, stop); });
    while (!stop.stop_requested()) {
      const bool last = ending_;  // then all of it is in the log
      if (stream.drain(kAtOnce)) continue;
      if (last) break;
      if (has_left(fd)) break;  // or will say nothing, and reads on: it has a whole file then
      std::this_thread::sleep_for(kNews);
    }
    stream.finish();
    ::shutdown(fd, SHUT_WR);
  } catch (const Gone&) {
  } catch (const std::exception&) {  // there is no memory for this viewer
  }
  --watching_;
  viewer.gone = true;
}

}  // namespace trace
