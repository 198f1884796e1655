#include "engine/trace/file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "model/error.h"

namespace trace {

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'M', 'C', 'A', 'P', '0', '\r', '\n'};
constexpr std::string_view kProfile = "fulgurite";

enum class Opcode : uint8_t {
  kHeader = 0x01,
  kFooter = 0x02,
  kSchema = 0x03,
  kChannel = 0x04,
  kMessage = 0x05,
  kChunk = 0x06,
  kChunkIndex = 0x08,
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

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

void add_channels(Bytes& out) {
  for (uint16_t topic = 1; topic < kTopicCount; ++topic) {
    const std::string name(topic_name(static_cast<Topic>(topic)));
    Bytes schema;
    schema.add(topic).text("fulgurite." + name).text("x-fulgurite");
    schema.text("little-endian; layout: engine/trace/schema.h, version " +
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

FileWriter::FileWriter(Log& log, const std::string& path)
    : cursor_(log), path_(path), counts_(kTopicCount, 0) {
  std::error_code ignored;
  made_ = !std::filesystem::exists(path, ignored);
  file_ = std::fopen(path.c_str(), "ab");  // "wb" would empty it
  if (file_ == nullptr) {
    throw Error(ExitCode::kFailed, std::string("cannot write the trace: ") + std::strerror(errno),
                path, "choose a folder that exists and can be written");
  }
}

void FileWriter::begin() {
  if (std::exchange(begun_, true)) return;
  std::error_code error;
  const bool whole = std::filesystem::is_regular_file(path_, error);
  if (whole) std::filesystem::resize_file(path_, 0, error);  // a device has nothing to lose
  if (error) {
    finished_ = true;
    throw Error(ExitCode::kFailed, "cannot write the trace: " + error.message(), path_,
                "choose another file");
  }
  Bytes start;
  start.raw(std::as_bytes(std::span(kMagic)));
  Bytes header;
  header.text(kProfile).text("fulgurite");
  start.record(Opcode::kHeader, header);
  add_channels(start);
  put(start.span());
}

FileWriter::~FileWriter() {
  try {
    if (begun_) finish();
  } catch (const std::exception&) {  // the destructor has nobody to tell
  }
  if (file_ == nullptr) return;
  std::fclose(file_);
  if (!begun_ && made_) std::remove(path_.c_str());
}

void FileWriter::put(std::span<const std::byte> bytes) {
  data_crc_ = crc32(bytes, data_crc_);
  offset_ += bytes.size();
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size() ||
      std::fflush(file_) != 0) {
    const std::string why = std::strerror(errno);
    finished_ = true;
    throw Error(ExitCode::kFailed, "the trace stopped: " + why, path_, "free some space");
  }
}

void FileWriter::drain() {
  if (finished_) return;
  Bytes records;
  const uint64_t ns = now_ns();
  for (Message message; cursor_.next(message);) {
    // Answers to somebody who looks around: not what happened, and many.
    if (message.topic == Topic::kTile) continue;
    const auto topic = static_cast<uint16_t>(message.topic);
    records.add(Opcode::kMessage).add(uint64_t{22} + message.payload.size());
    records.add(topic).add(static_cast<uint32_t>(message.sequence)).add(ns).add(ns);
    records.raw(message.payload);
    ++counts_[topic];
  }
  cursor_.release(cursor_.forget_before());
  if (records.size() == 0) return;
  begin();
  Bytes head;  // of the chunk, whose records are not copied once more
  head.add(ns).add(ns).add(static_cast<uint64_t>(records.size())).add(crc32(records.span()));
  head.text("").add(static_cast<uint64_t>(records.size()));
  Bytes frame;
  frame.add(Opcode::kChunk).add(static_cast<uint64_t>(head.size() + records.size()));
  frame.raw(head.span());
  chunks_.push_back({offset_, frame.size() + records.size(), ns, ns, records.size()});
  put(frame.span());
  put(records.span());
}

void FileWriter::finish() {
  if (finished_) return;
  drain();
  begin();
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
    Bytes index;
    index.add(c.first_ns).add(c.last_ns).add(c.start).add(c.length).add(uint32_t{0});
    index.add(uint64_t{0}).text("").add(c.size).add(c.size);
    summary.record(Opcode::kChunkIndex, index);
  }
  Bytes statistics;
  statistics.add(messages).add(static_cast<uint16_t>(kTopicCount - 1));
  statistics.add(uint32_t{kTopicCount - 1}).add(uint32_t{0}).add(uint32_t{0});
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

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_file(const std::string& path) {
  return {std::fopen(path.c_str(), "rb"),
          [](std::FILE* f) { return f == nullptr ? 0 : std::fclose(f); }};
}

bool begins_with_magic(std::FILE* file) {
  std::array<unsigned char, kMagic.size()> head{};
  return std::fread(head.data(), 1, head.size(), file) == head.size() && head == kMagic;
}

// What is in a file, from its beginning to its end or to where it is cut off or damaged.
class Messages {
 public:
  using Take = std::function<void(Topic, std::span<const std::byte> payload)>;

  // take: called with every message of a topic that is known. Throws Error (bad_model).
  Messages(const std::string& path, Take take) : path_(path), take_(std::move(take)) {
    std::error_code failed;
    const uint64_t size = std::filesystem::file_size(path, failed);
    const File file = open_file(path);
    if (failed || !file) throw bad("cannot be read as a trace", kOurs);
    if (!begins_with_magic(file.get())) throw bad("is not an MCAP file", kOurs);
    walk(file.get(), size - kMagic.size());
    if (!ours_) throw bad("has no header", kAgain);
  }

  bool complete() const { return complete_ && !damaged_; }
  bool damaged() const { return damaged_; }

 private:
  static constexpr const char* kOurs = "name a file made with --trace";
  static constexpr const char* kAgain = "record it again with --trace";

  Error bad(const std::string& what, const std::string& hint) const {
    return {ExitCode::kBadModel, what, path_, hint};
  }

  void walk(std::FILE* file, uint64_t left) {
    std::vector<std::byte> record;
    while (!damaged_) {
      std::array<std::byte, 9> frame{};
      complete_ =
          left >= frame.size() && std::fread(frame.data(), 1, frame.size(), file) == frame.size();
      if (!complete_) return;
      left -= frame.size();
      const auto opcode = static_cast<Opcode>(frame[0]);
      uint64_t length = 0;
      std::memcpy(&length, frame.data() + 1, sizeof length);
      complete_ = length <= left;
      if (!complete_ || opcode == Opcode::kDataEnd) return;
      record.resize(length);
      complete_ = std::fread(record.data(), 1, length, file) == length;
      if (!complete_) return;
      left -= length;
      if (opcode == Opcode::kHeader) take_header(record);
      if (opcode == Opcode::kChannel) take_channel(record);
      if (opcode == Opcode::kMessage) take_message(record);
      if (opcode == Opcode::kChunk) take_chunk(record);
      // Passed over: schemas, indexes, attachments, records of later versions.
    }
  }

  void take_header(std::span<const std::byte> content) {
    std::string_view profile;
    ours_ = Fields(content).text(profile) && profile == kProfile;
    if (!ours_) throw bad("is an MCAP file of another program", kOurs);
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

  const std::string& path_;
  Take take_;
  std::array<Topic, 65536> topics_{};  // of channels
  bool ours_ = false;
  bool complete_ = true;
  bool damaged_ = false;
};

}  // namespace

bool is_trace_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    return false;  // a pipe would keep us waiting
  const File file = open_file(path);
  return file && begins_with_magic(file.get());
}

FileContents load_file(const std::string& path, Log& log, size_t conversation) {
  std::vector<bool> with_steps;  // of the conversations
  Messages(path, [&](Topic topic, auto) {
    if (topic == Topic::kStart) with_steps.push_back(false);
    if (topic == Topic::kStep && !with_steps.empty()) with_steps.back() = true;
  });
  FileContents contents;
  contents.conversations = with_steps.size();
  if (conversation > contents.conversations) {
    throw Error(ExitCode::kUsage, "there is no conversation " + std::to_string(conversation), path,
                "it holds " + std::to_string(contents.conversations));
  }
  contents.conversation = conversation > 0 ? conversation : contents.conversations;
  if (conversation == 0) {
    const auto last = std::find(with_steps.rbegin(), with_steps.rend(), true);
    if (last != with_steps.rend())
      contents.conversation = static_cast<size_t>(with_steps.rend() - last);
  }

  size_t current = 0;  // 0: what holds for all
  const Messages taken(path, [&](Topic topic, std::span<const std::byte> payload) {
    if (topic == Topic::kStart) ++current;
    if (current != 0 && current != contents.conversation) return;
    std::memcpy(log.reserve(topic, payload.size()), payload.data(), payload.size());
    log.commit();
    ++contents.messages;
  });
  contents.complete = taken.complete();
  contents.damaged = taken.damaged();
  return contents;
}

}  // namespace trace
