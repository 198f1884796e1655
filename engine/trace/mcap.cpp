#include "engine/trace/mcap.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/trace/schema_text.h"
#include "model/error.h"

namespace trace {

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'M', 'C', 'A', 'P', '0', '\r', '\n'};
constexpr std::string_view kProfile = "fulgurite";
constexpr std::string_view kLayoutName = "schema.h";
constexpr std::string_view kLayoutType = "text/x-c++";

enum class Opcode : uint8_t {
  kHeader = 0x01,
  kFooter = 0x02,
  kSchema = 0x03,
  kChannel = 0x04,
  kMessage = 0x05,
  kChunk = 0x06,
  kMessageIndex = 0x07,
  kChunkIndex = 0x08,
  kAttachment = 0x09,
  kAttachmentIndex = 0x0A,
  kStatistics = 0x0B,
  kDataEnd = 0x0F,
};

// Little-endian bytes, as MCAP lays them out.
class Bytes {
 public:
  template <class T>
  Bytes& add(T value) {
    for (const std::byte b : std::bit_cast<std::array<std::byte, sizeof(T)>>(value)) {
      bytes_.push_back(b);
    }
    return *this;
  }
  Bytes& text(std::string_view s) {
    add(static_cast<uint32_t>(s.size()));
    return raw(std::as_bytes(std::span(s)));
  }
  Bytes& raw(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  Bytes& record(Opcode opcode, const Bytes& content) {
    add(opcode);
    add(static_cast<uint64_t>(content.bytes_.size()));
    return raw(content.bytes_);
  }
  std::span<const std::byte> span() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

void add_channels(Bytes& out) {
  for (uint16_t topic = 1; topic < kTopicCount; ++topic) {
    const std::string name(topic_name(static_cast<Topic>(topic)));
    Bytes schema;
    schema.add(topic).text("fulgurite." + name).text("x-fulgurite");
    schema.text("little-endian; layout: the attached schema.h, version " +
                std::to_string(kSchemaVersion));
    Bytes channel;
    channel.add(topic).add(topic).text("/" + name).text("x-fulgurite").add(uint32_t{0});
    out.record(Opcode::kSchema, schema).record(Opcode::kChannel, channel);
  }
}

// Reads little-endian fields off a span; false once it is too short.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : left_(bytes) {}
  template <class T>
  bool get(T& value) {
    if (left_.size() < sizeof value) return false;
    std::memcpy(&value, left_.data(), sizeof value);
    left_ = left_.subspan(sizeof value);
    return true;
  }
  bool text(std::string_view& s) {
    uint32_t size = 0;
    std::span<const std::byte> bytes;
    if (!get(size) || !take(size, bytes)) return false;
    s = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    return true;
  }
  bool take(uint64_t size, std::span<const std::byte>& bytes) {
    if (left_.size() < size) return false;
    bytes = left_.first(size);
    left_ = left_.subspan(size);
    return true;
  }
  bool empty() const { return left_.empty(); }
  std::span<const std::byte> rest() const { return left_; }

 private:
  std::span<const std::byte> left_;
};

}  // namespace

uint32_t crc32(std::span<const std::byte> bytes, uint32_t crc) noexcept {
  const auto* at = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<uint32_t>(::crc32_z(crc, at, bytes.size()));
}

McapWriter::McapWriter(Log& log, Put put) : cursor_(log), put_(std::move(put)) {}

void McapWriter::put(std::span<const std::byte> bytes) {
  data_crc_ = crc32(bytes, data_crc_);
  offset_ += bytes.size();
  try {
    put_(bytes);
  } catch (...) {
    finished_ = true;
    throw;
  }
}

void McapWriter::begin(uint64_t ns) {
  if (std::exchange(begun_, true)) return;
  Bytes start;
  start.raw(std::as_bytes(std::span(kMagic)));
  Bytes header;
  header.text(kProfile).text(kProgram);
  start.record(Opcode::kHeader, header);
  add_channels(start);
  Bytes layout;
  layout.add(ns).add(ns).text(kLayoutName).text(kLayoutType);
  layout.add(static_cast<uint64_t>(kSchemaText.size()));
  layout.raw(std::as_bytes(std::span(kSchemaText)));
  layout.add(crc32(layout.span()));
  const uint64_t before = start.size();
  start.record(Opcode::kAttachment, layout);
  attachment_ = {before, start.size() - before, ns};
  put(start.span());
}

bool McapWriter::drain(size_t most) {
  if (finished_) return false;
  Bytes records;
  std::array<Bytes, kTopicCount> times;  // and where, of each topic's messages
  uint64_t first_ns = 0, last_ns = 0;
  for (Message message; records.size() < most && cursor_.next(message);) {
    // Answers to somebody who looks around: not what happened, and many.
    if (message.topic == Topic::kTile) continue;
    if (records.size() == 0) first_ns = message.ns;
    last_ns = message.ns;
    const auto topic = static_cast<uint16_t>(message.topic);
    times[topic].add(message.ns).add(static_cast<uint64_t>(records.size()));
    records.add(Opcode::kMessage).add(uint64_t{22} + message.payload.size());
    records.add(topic).add(static_cast<uint32_t>(message.sequence)).add(message.ns).add(message.ns);
    records.raw(message.payload);
    ++counts_[topic];
  }
  cursor_.rest();
  if (records.size() == 0) return false;
  begin(first_ns);
  Bytes head;  // of the chunk, whose records are not copied once more
  head.add(first_ns).add(last_ns).add(static_cast<uint64_t>(records.size()));
  head.add(crc32(records.span())).text("").add(static_cast<uint64_t>(records.size()));
  Bytes frame;
  frame.add(Opcode::kChunk).add(static_cast<uint64_t>(head.size() + records.size()));
  frame.raw(head.span());
  ChunkPlace place{offset_, frame.size() + records.size(), first_ns, last_ns, records.size(), {},
                   0};
  Bytes indexes;
  for (uint16_t topic = 1; topic < kTopicCount; ++topic) {
    if (times[topic].size() == 0) continue;
    place.indexes.emplace_back(topic, place.start + place.length + indexes.size());
    Bytes index;
    index.add(topic).add(static_cast<uint32_t>(times[topic].size())).raw(times[topic].span());
    indexes.record(Opcode::kMessageIndex, index);
  }
  place.indexes_length = indexes.size();
  chunks_.push_back(std::move(place));
  put(frame.span());
  put(records.span());
  put(indexes.span());
  return true;
}

void McapWriter::finish() {
  if (finished_) return;
  drain();
  begin(0);
  finished_ = true;
  Bytes end;
  end.add(data_crc_);
  Bytes data_end;
  data_end.record(Opcode::kDataEnd, end);
  put(data_end.span());

  const uint64_t summary_start = offset_;
  Bytes summary;
  add_channels(summary);
  uint64_t messages = 0;
  Bytes counts;
  for (uint16_t topic = 1; topic < kTopicCount; ++topic) {
    if (counts_[topic] == 0) continue;
    counts.add(topic).add(counts_[topic]);
    messages += counts_[topic];
  }
  for (const ChunkPlace& c : chunks_) {
    Bytes offsets;
    for (const auto& [topic, offset] : c.indexes) offsets.add(topic).add(offset);
    Bytes index;
    index.add(c.first_ns).add(c.last_ns).add(c.start).add(c.length);
    index.add(static_cast<uint32_t>(offsets.size())).raw(offsets.span()).add(c.indexes_length);
    index.text("").add(c.size).add(c.size);
    summary.record(Opcode::kChunkIndex, index);
  }
  Bytes attached;
  attached.add(attachment_.start).add(attachment_.length);
  attached.add(attachment_.ns).add(attachment_.ns).add(static_cast<uint64_t>(kSchemaText.size()));
  attached.text(kLayoutName).text(kLayoutType);
  summary.record(Opcode::kAttachmentIndex, attached);
  Bytes statistics;
  statistics.add(messages).add(static_cast<uint16_t>(kTopicCount - 1));
  statistics.add(uint32_t{kTopicCount - 1}).add(uint32_t{1}).add(uint32_t{0});
  statistics.add(static_cast<uint32_t>(chunks_.size()));
  statistics.add(chunks_.empty() ? uint64_t{0} : chunks_.front().first_ns);
  statistics.add(chunks_.empty() ? uint64_t{0} : chunks_.back().last_ns);
  statistics.add(static_cast<uint32_t>(counts.size())).raw(counts.span());
  summary.record(Opcode::kStatistics, statistics);
  // The footer's CRC covers the summary and the footer's own first fields.
  summary.add(Opcode::kFooter).add(uint64_t{20}).add(summary_start).add(uint64_t{0});
  summary.add(crc32(summary.span()));
  summary.raw(std::as_bytes(std::span(kMagic)));
  put(summary.span());
}

namespace {

constexpr uint64_t kMostPassedOver = uint64_t{1} << 30;  // bytes of a record that is not read
constexpr const char* kOurs = "name a file made with --trace";
constexpr const char* kAgain = "record it again with --trace";

class McapReader {
 public:
  McapReader(const std::string& name, const McapSource& read, const McapTake& take)
      : name_(name), read_(read), take_(take) {}

  McapEnd walk(uint64_t longest) {
    std::array<std::byte, kMagic.size()> magic{};
    if (read_(magic) < magic.size() || !begins_as_mcap(magic)) throw bad("is not MCAP", kOurs);
    while (!damaged_) {
      std::array<std::byte, 9> frame{};
      if (read_(frame) < frame.size()) break;
      const auto opcode = static_cast<Opcode>(frame[0]);
      uint64_t length = 0;
      std::memcpy(&length, frame.data() + 1, sizeof length);
      const bool known = opcode == Opcode::kHeader || opcode == Opcode::kChannel ||
                         opcode == Opcode::kMessage || opcode == Opcode::kChunk;
      if (length > (known ? longest : std::min(longest, kMostPassedOver))) break;
      if (!(known ? read_record(length) : pass_over(length))) break;
      complete_ = opcode == Opcode::kDataEnd;
      if (complete_) break;
      if (opcode == Opcode::kHeader) take_header(record_);
      if (opcode == Opcode::kChannel) take_channel(record_);
      if (opcode == Opcode::kMessage) take_message(record_);
      if (opcode == Opcode::kChunk) take_chunk(record_);
      // Passed over: schemas, indexes, attachments, records of later versions.
    }
    if (!ours_) throw bad("has no header", kAgain);
    return {complete_, damaged_, writer_};
  }

 private:
  Error bad(const std::string& what, const std::string& hint) const {
    return {ExitCode::kBadModel, what, name_, hint};
  }

  // Memory grows with what has come, not with what was announced.
  bool read_record(uint64_t length) {
    constexpr uint64_t kAtOnce = uint64_t{1} << 24;
    for (uint64_t have = 0; have < length;) {
      const uint64_t more = std::min(length - have, std::max(kAtOnce, have));
      record_.resize(have + more);
      if (read_(std::span(record_).subspan(have)) < more) return false;
      have += more;
    }
    record_.resize(length);
    return true;
  }

  bool pass_over(uint64_t length) {
    std::array<std::byte, 1 << 16> block;
    for (uint64_t left = length; left > 0;) {
      const auto part = std::span(block).first(std::min<uint64_t>(left, block.size()));
      if (read_(part) < part.size()) return false;
      left -= part.size();
    }
    return true;
  }

  void take_header(std::span<const std::byte> content) {
    Fields fields(content);
    std::string_view profile;
    ours_ = fields.text(profile) && profile == kProfile;
    if (!ours_) throw bad("is an MCAP file of another program", kOurs);
    std::string_view library;
    if (fields.text(library)) writer_ = library;
  }

  void take_channel(std::span<const std::byte> content) {
    Fields fields(content);
    uint16_t id = 0;
    uint16_t schema = 0;
    std::string_view topic;
    if (!fields.get(id) || !fields.get(schema) || !fields.text(topic))
      throw bad("holds a channel that is too short", kAgain);
    for (uint16_t t = 1; t < kTopicCount; ++t) {
      if (topic.size() > 1 && topic.substr(1) == topic_name(static_cast<Topic>(t)))
        topics_[id] = static_cast<Topic>(t);
    }
  }

  void take_message(std::span<const std::byte> content) {
    Fields fields(content);
    uint16_t channel = 0;
    uint32_t sequence = 0;
    uint64_t log_ns = 0;
    uint64_t publish_ns = 0;
    if (!fields.get(channel) || !fields.get(sequence) || !fields.get(log_ns) ||
        !fields.get(publish_ns)) {
      throw bad("holds a message that is too short", kAgain);
    }
    const Topic topic = topics_[channel];
    if (topic != Topic{}) take_(topic, fields.rest());  // else of a later version
  }

  void take_chunk(std::span<const std::byte> content) {
    Fields fields(content);
    uint64_t start = 0, end = 0, raw_size = 0, packed = 0;
    uint32_t crc = 0;
    std::string_view compression;
    std::span<const std::byte> body;
    if (!fields.get(start) || !fields.get(end) || !fields.get(raw_size) || !fields.get(crc) ||
        !fields.text(compression) || !fields.get(packed) || !fields.take(packed, body)) {
      throw bad("holds a chunk that is too short", kAgain);
    }
    if (!compression.empty()) {
      throw bad("is compressed with " + std::string(compression),
                "write it out uncompressed, e.g. with the mcap tool");
    }
    if (raw_size != packed) throw bad("holds a chunk whose sizes contradict each other", kAgain);
    damaged_ = crc != 0 && crc != crc32(body);
    if (damaged_) return;
    Fields inner(body);
    while (!inner.empty()) {
      uint8_t kind = 0;
      uint64_t bytes = 0;
      std::span<const std::byte> record;
      if (!inner.get(kind) || !inner.get(bytes) || !inner.take(bytes, record))
        throw bad("holds a chunk that is too short", kAgain);
      if (static_cast<Opcode>(kind) == Opcode::kMessage) take_message(record);
      if (static_cast<Opcode>(kind) == Opcode::kChannel) take_channel(record);
    }
  }

  const std::string& name_;
  const McapSource& read_;
  const McapTake& take_;
  std::vector<std::byte> record_;
  std::array<Topic, 65536> topics_{};  // of channels
  std::string writer_;
  bool ours_ = false;
  bool complete_ = false;
  bool damaged_ = false;
};

}  // namespace

bool begins_as_mcap(std::span<const std::byte> head) noexcept {
  return head.size() >= kMagic.size() &&
         std::memcmp(head.data(), kMagic.data(), kMagic.size()) == 0;
}

McapEnd read_mcap(const std::string& name, uint64_t longest, const McapSource& read,
                  const McapTake& take) {
  return McapReader(name, read, take).walk(longest);
}

}  // namespace trace
