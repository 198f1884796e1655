// A file that appears whole or not at all: written beside its place and renamed at the end. What is
// no file (a device, a pipe) is written to as it is; behind a link the file it points to is
// replaced.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

namespace model {

// Throws Error (failed) when a file is there whose permissions let nobody write: renaming another
// into its place would replace what its owner has protected.
void refuse_read_only(const std::string& path);

// Removes what every AtomicFile has written so far, for a program about to end where it stands:
// safe in a signal handler.
void remove_unfinished_files() noexcept;

class AtomicFile {
 public:
  // Opens path + ".part", or ".part1" and so on where that is somebody's file, or the path itself
  // where it names none. Throws Error (failed) naming the path, like all that follows.
  explicit AtomicFile(const std::string& path);
  // Without commit() what was written is removed; an older file at `path` stays.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  // Puts the file in its place; nothing may be written afterwards.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& what) const;
  void remove_part() noexcept;

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::string place_;  // behind links
  std::string part_;   // empty: what is written is there already
  size_t entry_ = 0;   // of part_ in the list of remove_unfinished_files(), if it found a place
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace model
