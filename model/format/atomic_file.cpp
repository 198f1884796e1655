#include "model/format/atomic_file.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "model/error.h"

namespace model {

namespace {

// Paths of parts, for a signal handler: no locks, no memory.
std::array<std::atomic<const char*>, 64> unfinished;

// The place of the new entry; unfinished.size() when none is free.
size_t enter(const char* path) noexcept {
  for (size_t i = 0; i < unfinished.size(); ++i) {
    const char* none = nullptr;
    if (unfinished[i].compare_exchange_strong(none, path)) return i;
  }
  return unfinished.size();
}

void leave(size_t i) noexcept {
  if (i < unfinished.size()) unfinished[i] = nullptr;
}

}  // namespace

void remove_unfinished_files() noexcept {
  for (const auto& entry : unfinished) {
    if (const char* path = entry.load()) ::unlink(path);
  }
}

void refuse_read_only(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr fs::perms kWrite =
      fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  std::error_code error;
  const fs::file_status there = fs::status(path, error);
  if (!fs::is_regular_file(there) || (there.permissions() & kWrite) != fs::perms::none) return;
  throw fulgurite::Error(fulgurite::ExitCode::kFailed, "is read-only and stays", path,
                         "make it writable, or name another file");
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), place_(path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_other(path,
                    error)) {  // also behind links: /dev/stdout is one, and of a pipe's no path
    if (fs::is_symlink(path, error)) {
      const fs::path real = fs::canonical(path, error);
      if (!error) place_ = real.string();
    }
    refuse_read_only(path);
    // "x": a file that is there is not ours, like what a browser is downloading.
    constexpr int kMost = 100;
    for (int n = 0; n < kMost && !file_; ++n) {
      part_ = place_ + ".part" + (n > 0 ? std::to_string(n) : "");
      file_.reset(std::fopen(part_.c_str(), "wbx"));
      if (!file_ && errno != EEXIST) break;
    }
  } else {
    file_.reset(std::fopen(place_.c_str(), "wb"));
  }
  if (!file_) fail("cannot be written");
  entry_ = part_.empty() ? unfinished.size() : enter(part_.c_str());
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  file_.reset();
  remove_part();
}

void AtomicFile::remove_part() noexcept {
  if (!part_.empty()) std::remove(part_.c_str());
  leave(entry_);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  CHECK(file_ != nullptr);
  if (bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    fail("writing failed");
  }
}

void AtomicFile::commit() {
  CHECK(file_ != nullptr);
  errno = 0;
  bool placed = std::fclose(file_.release()) == 0;
  const char* what = placed ? "cannot be replaced" : "writing failed";
  placed = placed && (part_.empty() || std::rename(part_.c_str(), place_.c_str()) == 0);
  if (placed) return leave(entry_);
  const int reason = errno;
  remove_part();
  errno = reason;
  fail(what);
}

void AtomicFile::fail(const std::string& what) const {
  const int reason = errno;
  throw fulgurite::Error(
      fulgurite::ExitCode::kFailed, what + ": " + std::generic_category().message(reason), path_,
      reason == EISDIR ? "name a file in it" : "is the folder there, writable and not full?");
}

}  // namespace model
