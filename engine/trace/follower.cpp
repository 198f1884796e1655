#include "engine/trace/follower.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <span>
#include <utility>

#include "engine/trace/socket.h"
#include "model/error.h"

namespace trace {

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

// A record that says it is longer is none of ours.
constexpr uint64_t kLongest = uint64_t{1} << 30;
constexpr int kPatience = 50;  // ms between two looks at whether all this is still wanted
constexpr std::chrono::milliseconds kGrowth{50};  // between two looks at a file's end

// `some`: reads as read(2) does; more(): waits for a while, false: there will be no more.
template <class Some, class More>
size_t read_all(std::span<std::byte> into, const std::stop_token& stop, Some&& some, More&& more) {
  size_t have = 0;
  while (have < into.size() && !stop.stop_requested()) {
    const ssize_t n = some(into.subspan(have));
    if (n > 0) {
      have += static_cast<size_t>(n);
    } else if (!(n < 0 && errno == EINTR) && !more(n)) {
      break;
    }
  }
  return have;
}

McapSource read_socket(const std::string& address, const std::stop_token& stop) {
  const auto socket = std::make_shared<Descriptor>(connect_to(address));
  return [socket, stop](std::span<std::byte> into) {
    const auto some = [&](std::span<std::byte> part) {
      return ::recv(socket->fd(), part.data(), part.size(), MSG_DONTWAIT);
    };
    const auto more = [&](ssize_t n) {
      if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return false;
      pollfd one = {socket->fd(), POLLIN, 0};
      ::poll(&one, 1, kPatience);
      return true;
    };
    return read_all(into, stop, some, more);
  };
}

McapSource read_file(const std::string& path, const std::stop_token& stop) {
  const auto file =
      std::make_shared<Descriptor>(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found = {};
  if (!*file || ::fstat(file->fd(), &found) != 0 || !S_ISREG(found.st_mode)) {
    throw Error(ExitCode::kBadModel, "cannot be followed as a trace", path,
                "name a file that is being written with --trace");
  }
  return [file, stop, at = uint64_t{0}](std::span<std::byte> into) mutable {
    const auto some = [&](std::span<std::byte> part) {
      const ssize_t n = ::pread(file->fd(), part.data(), part.size(), static_cast<off_t>(at));
      if (n > 0) at += static_cast<uint64_t>(n);
      return n;
    };
    const auto more = [&](ssize_t n) {
      struct stat now = {};
      if (n < 0 || ::fstat(file->fd(), &now) != 0) return false;
      // It was begun anew, or there is another one in its place.
      if (static_cast<uint64_t>(now.st_size) < at || now.st_nlink == 0) return false;
      std::this_thread::sleep_for(kGrowth);
      return true;
    };
    return read_all(into, stop, some, more);
  };
}

}  // namespace

Follower::Follower(const std::string& what, Log& log)
    : what_(what),
      log_(log),
      read_(is_address(what) ? read_socket(what, stop_.get_token())
                             : read_file(what, stop_.get_token())),
      thread_([this] {
        take_in();
        read_ = nullptr;  // whoever writes need not wait for us
      }) {}

Follower::~Follower() {
  stop_.request_stop();
  thread_.join();
}

void Follower::note(NoteKind kind, const std::string& text) {
  append(log_, Topic::kNote, NoteRecord{kind, static_cast<uint32_t>(text.size())},
         std::span<const char>(text));
}

// Where there is no memory for a sentence either, it is lost; what came stays.
void Follower::give_up() noexcept {
  try {
    note(NoteKind::kFailed, "there is not enough memory for what came");
    note(NoteKind::kFinished, "");
  } catch (const std::exception&) {
    return;
  }
}

void Follower::take_in() noexcept {
  try {
    follow();
  } catch (const std::exception&) {
    give_up();
  }
}

void Follower::follow() {
  bool over = false;  // as its last note says
  bool silent = true;
  const McapSource read = [&](std::span<std::byte> into) {
    const size_t n = read_(into);
    silent = silent && n == 0;
    return n;
  };
  try {
    const McapEnd end =
        read_mcap(what_, kLongest, read, [&](Topic topic, std::span<const std::byte> payload) {
          std::memcpy(log_.reserve(topic, payload.size()), payload.data(), payload.size());
          log_.commit();
          NoteRecord said;
          const bool note = topic == Topic::kNote && payload.size() >= sizeof said;
          if (note) std::memcpy(&said, payload.data(), sizeof said);
          if (topic == Topic::kStart) over = false;
          if (note) over = over || said.kind == NoteKind::kFinished;
        });
    if (stop_.stop_requested()) return;
    if (end.damaged) {
      note(NoteKind::kFailed, what_ + " is damaged in the middle; this is what is before");
    } else if (!end.complete) {
      note(NoteKind::kFailed, what_ + " broke off or is damaged; this is what came before");
    }
    if (!over) note(NoteKind::kFinished, "the end of " + what_);
  } catch (const Error& error) {
    if (stop_.stop_requested()) return;
    note(NoteKind::kFailed,
         silent ? what_ + " said nothing: it serves no trace, or has all the viewers that it takes"
                : error.what());
    note(NoteKind::kFinished, "");
  }
}

}  // namespace trace
