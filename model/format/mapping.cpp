#include "model/format/mapping.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>

#include "model/error.h"
#include "model/format/atomic_file.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// What is mapped, for a signal handler: no locks, no memory. A mapping that finds no free place
// is merely not named when its file shrinks.
struct Slot {
  std::atomic<bool> taken;
  std::atomic<uintptr_t> begin;  // 0: nothing
  std::atomic<uintptr_t> end;
  std::atomic<const char*> path;
};
constexpr size_t kSlots = 4096;
std::array<Slot, kSlots> slots;
std::atomic_flag told;

void say(const char* text) noexcept {
  size_t n = 0;
  while (text[n] != 0) ++n;
  // Nobody is left to tell if stderr is gone.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, n);
}

void on_bus_error(int, siginfo_t* info, void*) noexcept {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const Slot& slot : slots) {
    const uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= slot.end.load()) continue;
    // Of several threads that read it one tells and ends the program.
    while (told.test_and_set()) ::pause();
    say("fulgurite: ");
    say(slot.path.load());
    say(": the file shrank while it was being read (is something still writing it?)\n");
    remove_unfinished_files();
    ::_exit(static_cast<int>(ExitCode::kBadModel));
  }
  ::signal(SIGBUS, SIG_DFL);  // returning repeats the access, which now ends the program
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  });
}

// The place of the new entry; kSlots when none is free.
size_t enter(std::span<const std::byte> bytes, const char* path) noexcept {
  for (size_t i = 0; i < kSlots; ++i) {
    if (slots[i].taken.exchange(true)) continue;
    const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
    slots[i].path = path;
    slots[i].end = begin + bytes.size();
    slots[i].begin.store(begin, std::memory_order_release);
    return i;
  }
  return kSlots;
}

void leave(size_t i) noexcept {
  if (i >= kSlots) return;
  slots[i].begin = 0;
  slots[i].taken = false;
}

}  // namespace

Mapping::~Mapping() {
  if (bytes_.empty()) return;
  leave(slot_);
  munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
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
    if (address == MAP_FAILED && errno == ENOMEM) {
      throw Error(ExitCode::kFailed, "does not fit into the memory that this program may map", path,
                  "raise the limit (ulimit -v), or run a smaller model");
    }
    if (address == MAP_FAILED) {
      fail(std::string("cannot be mapped: ") + std::generic_category().message(errno));
    }
    mapping->bytes_ = {static_cast<const std::byte*>(address), n};
    mapping->shown_ = printable(path, 4096);
    install_handler();
    mapping->slot_ = enter(mapping->bytes_, mapping->shown_.c_str());
  }
  return mapping;
}

}  // namespace model
