// The trace as an MCAP stream (specification: mcap.dev/spec): append-only, readable after a
// crash up to its last whole chunk. Our messages are its messages, byte for byte; one
// channel a topic; one uncompressed chunk with a CRC-32 a forward step; the layout of the payloads
// (schema.h) is attached.
//
//   stream = magic | Header | (Schema | Channel)* | Attachment | (Chunk | MessageIndex*)* | DataEnd
//            | summary | Footer | magic
//   record = u8 opcode | u64 length | content
//   Chunk  = u64 start, end | u64 size | u32 crc | string compression | u64 size | Message*
//   Message = u16 channel | u32 sequence | u64 log time | u64 publish time | our payload
//   MessageIndex = u16 channel | u32 bytes | (u64 log time | u64 offset in the chunk's records)*
//
// A file (file.h) and a connection (server.h, follower.h) carry the same stream.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/trace/log.h"

namespace trace {

// Follows a log and hands on what is new. One thread.
class McapWriter {
 public:
  using Put = std::function<void(std::span<const std::byte>)>;

  explicit McapWriter(Log& log, Put put);

  // Hands on what was committed since the last call as one chunk, which ends with the message that
  // makes it `most` bytes long or longer. False: there was nothing. The log may let go of its
  // memory while `put` waits. Throws what `put` throws, and hands on nothing more after that.
  bool drain(size_t most = std::numeric_limits<size_t>::max());

  // All that is left, then the summary and the closing magic. Idempotent. Throws as drain().
  void finish();

 private:
  struct ChunkPlace {
    uint64_t start;
    uint64_t length;
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t size;
    std::vector<std::pair<uint16_t, uint64_t>> indexes;  // of each topic, where it lies
    uint64_t indexes_length;
  };
  void begin(uint64_t ns);
  void put(std::span<const std::byte> bytes);

  Cursor cursor_;
  Put put_;
  uint64_t offset_ = 0;
  uint32_t data_crc_ = 0;
  std::vector<ChunkPlace> chunks_;
  struct {
    uint64_t start = 0;
    uint64_t length = 0;
    uint64_t ns = 0;
  } attachment_;
  std::array<uint64_t, kTopicCount> counts_{};  // messages
  bool begun_ = false;
  bool finished_ = false;
};

// How a stream ended.
struct McapEnd {
  bool complete = true;  // false: in the middle; what is whole was taken
  bool damaged = false;  // then by a checksum that does not match; what is before it was taken
  std::string writer;    // the program that wrote it, as it says itself
};

// Fills `into` with what comes next; returns fewer bytes where the stream ends.
using McapSource = std::function<size_t(std::span<std::byte> into)>;
using McapTake = std::function<void(Topic, std::span<const std::byte> payload)>;

// Takes every message of a topic that is known. name: of the file or connection, for what an Error
// says. longest: a record that says it is longer is not there; memory is asked for as its bytes
// come. Throws Error (bad_model): not MCAP, not ours, compressed, or contradicting itself; and what
// `read` and `take` throw.
McapEnd read_mcap(const std::string& name, uint64_t longest, const McapSource& read,
                  const McapTake& take);

// Whether a stream begins so.
inline constexpr size_t kMcapMagicBytes = 8;
bool begins_as_mcap(std::span<const std::byte> head) noexcept;

// CRC-32 as MCAP means it (ISO-HDLC, polynomial 0x04C11DB7 reflected).
uint32_t crc32(std::span<const std::byte> bytes, uint32_t crc = 0) noexcept;

}  // namespace trace
