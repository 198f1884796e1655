// The trace as an MCAP file (specification: mcap.dev/spec): append-only, readable after a
// crash up to its last whole chunk. Our messages are its messages, byte for byte; one
// channel a topic; one uncompressed chunk with a CRC-32 a forward step.
//
//   file   = magic | Header | (Schema | Channel | Chunk)* | DataEnd | summary | Footer | magic
//   record = u8 opcode | u64 length | content
//   Chunk  = u64 start, end | u64 size | u32 crc | string compression | u64 size | Message*
//   Message = u16 channel | u32 sequence | u64 log time | u64 publish time | our payload
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "engine/trace/log.h"

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
  struct ChunkPlace {
    uint64_t start;
    uint64_t length;
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t size;
  };
  void begin();
  void put(std::span<const std::byte> bytes);

  Cursor cursor_;
  std::string path_;
  std::FILE* file_ = nullptr;
  uint64_t offset_ = 0;
  uint32_t data_crc_ = 0;
  std::vector<ChunkPlace> chunks_;
  std::vector<uint64_t> counts_;  // messages a topic
  bool made_ = false;             // there was no such file
  bool begun_ = false;
  bool finished_ = false;
};

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

// CRC-32 as MCAP means it (ISO-HDLC, polynomial 0x04C11DB7 reflected).
uint32_t crc32(std::span<const std::byte> bytes, uint32_t crc = 0) noexcept;

}  // namespace trace
