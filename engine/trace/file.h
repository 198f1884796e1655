// The trace as a file: a stream of MCAP (see mcap.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include "engine/trace/log.h"
#include "engine/trace/mcap.h"

namespace trace {

// Follows a log and appends what is new to a file. One thread.
class FileWriter {
 public:
  // Throws Error (failed) when the file cannot be written. What is there already stays until the
  // first message is written, so that what is refused before costs nobody an older trace.
  FileWriter(Log& log, const std::string& path);
  ~FileWriter();  // finishes what was begun; failures at this point are dropped
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // Appends everything that was committed since the last call as one chunk and flushes it.
  // Throws Error (failed) when the disk is full.
  void drain();

  // drain(), then the summary and the closing magic. Idempotent. Throws as drain().
  void finish();

 private:
  void put(std::span<const std::byte> bytes);

  std::string path_;
  std::FILE* file_ = nullptr;
  bool made_ = false;   // there was no such file
  bool begun_ = false;  // something was written
  McapWriter stream_;
};

// Hands on all messages of a file, see read_mcap(). Throws as that does; also Error (bad_model) for
// a file that cannot be read.
McapEnd read_file(const std::string& path, const McapTake& take);

struct FileContents {
  uint64_t messages = 0;     // that were taken
  size_t conversations = 0;  // of the file
  size_t conversation = 0;   // which of them was taken, from 1
  bool complete = true;      // false: it ends in the middle; what is whole was taken
  bool damaged = false;      // then by a checksum that does not match; what is before it was taken
};

// Appends what a file says of its model, and of one conversation, to a log. conversation: from 1;
// 0: the last that took a step, else the last. Throws Error (bad_model): missing, not MCAP, not
// ours, compressed, or contradicting itself; (usage): it has fewer conversations.
FileContents load_file(const std::string& path, Log& log, size_t conversation = 0);

// True when the file begins with MCAP's magic; false also when it cannot be read.
bool is_trace_file(const std::string& path);

}  // namespace trace
