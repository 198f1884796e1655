#include "engine/trace/file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <random>

#include "engine/trace/reader.h"
#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/trace_builder.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using tests::TraceBuilder;
using trace::FileContents;
using trace::Log;

const std::string kMagic("\x89MCAP0\r\n", 8);

uint32_t crc_of(std::string_view bytes) {
  return trace::crc32(std::as_bytes(std::span(bytes)));
}

// A little-endian cursor over a file of MCAP, written from its specification alone.
struct Walk {
  std::string_view left;
  template <class T>
  T number() {
    T value{};
    EXPECT_GE(left.size(), sizeof value);
    if (left.size() < sizeof value) return value;
    std::memcpy(&value, left.data(), sizeof value);
    left.remove_prefix(sizeof value);
    return value;
  }
  std::string_view bytes(size_t n) {
    EXPECT_GE(left.size(), n);
    const std::string_view head = left.substr(0, n);
    left.remove_prefix(head.size());
    return head;
  }
  std::string_view text() { return bytes(number<uint32_t>()); }
};

struct McapRecord {
  uint8_t opcode = 0;
  size_t offset = 0;  // of its opcode in the file
  std::string_view content;
  size_t end() const { return offset + 9 + content.size(); }
};

std::vector<McapRecord> records_of(std::string_view file) {
  EXPECT_EQ(kMagic, file.substr(0, 8));
  EXPECT_EQ(kMagic, file.substr(file.size() - 8));
  std::vector<McapRecord> records;
  Walk walk{file.substr(8, file.size() - 16)};
  while (!walk.left.empty()) {
    McapRecord r;
    r.offset = file.size() - 8 - walk.left.size();
    r.opcode = walk.number<uint8_t>();
    r.content = walk.bytes(walk.number<uint64_t>());
    records.push_back(r);
  }
  return records;
}

std::vector<McapRecord> with_opcode(const std::vector<McapRecord>& records, int opcode) {
  std::vector<McapRecord> found;
  for (const McapRecord& r : records) {
    if (r.opcode == opcode) found.push_back(r);
  }
  return found;
}

class TraceFile : public ::testing::Test {
 protected:
  // A trace of a prompt and two tokens, one chunk a step, whole.
  TraceFile() : builder_(log_, tests::small_model()) {
    trace::FileWriter writer(log_, path_);
    builder_.describe();
    builder_.start();
    builder_.step(3);
    writer.drain();
    builder_.step();
    builder_.answer(1, 2, {1.0F, -2.0F});
    writer.drain();
    writer.drain();  // nothing new: no chunk
    builder_.step();
    builder_.note(trace::NoteKind::kFinished, "over");
    writer.finish();
    writer.finish();
    bytes_ = tests::read_file(path_);
  }

  std::string write(const std::string& bytes) const {
    const std::string path = folder_.file("changed.mcap");
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  // What becomes of these bytes: the positions that a reader finds, or nothing with an Error.
  std::optional<size_t> positions(const std::string& bytes,
                                  FileContents* contents = nullptr) const {
    Log log;
    trace::Reader reader(log);
    try {
      const FileContents found = trace::load_file(write(bytes), log);
      if (contents != nullptr) *contents = found;
      reader.poll();
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kBadModel, error.code());
      EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
      return {};
    }
    return reader.positions();
  }
  std::string refusal(const std::string& path) const {
    Log log;
    try {
      trace::load_file(path, log);
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kBadModel, error.code());
      EXPECT_CONTAINS(error.what(), path + ": ");
      return error.what();
    }
    return "(accepted)";
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_.file("trace.mcap");
  Log log_;
  TraceBuilder builder_;
  std::string bytes_;
};

TEST(Crc32, IsTheOneOfZlibAndMcap) {
  EXPECT_EQ(0xCBF43926U, crc_of("123456789"));
  EXPECT_EQ(0U, crc_of(""));
  EXPECT_EQ(0xE8B7BE43U, crc_of("a"));
  const std::string_view text = "123456789";
  const uint32_t half = crc_of(text.substr(0, 4));
  EXPECT_EQ(0xCBF43926U, trace::crc32(std::as_bytes(std::span(text.substr(4))), half))
      << "in pieces";
}

TEST_F(TraceFile, HoldsTheBytesOfTheLog) {
  Log loaded;
  const FileContents contents = trace::load_file(path_, loaded);
  EXPECT_TRUE(contents.complete);
  trace::Cursor a(log_), b(loaded);
  trace::Message original, copy;
  uint64_t count = 0;
  for (; a.next(original); ++count) {
    ASSERT_TRUE(b.next(copy));
    EXPECT_EQ(original.topic, copy.topic);
    EXPECT_EQ(original.sequence, copy.sequence);
    ASSERT_EQ(original.payload.size(), copy.payload.size());
    EXPECT_EQ(0, std::memcmp(original.payload.data(), copy.payload.data(), copy.payload.size()));
  }
  EXPECT_FALSE(b.next(copy));
  EXPECT_EQ(count, contents.messages);
  EXPECT_TRUE(trace::is_trace_file(path_));
  EXPECT_FALSE(trace::is_trace_file(folder_.file("nothing")));
}

TEST_F(TraceFile, IsLaidOutAsMcapSays) {
  const auto records = records_of(bytes_);
  std::string order;
  for (const McapRecord& r : records) {
    const char c = "?HFSCMKXIAaT???D"[r.opcode];
    if (order.empty() || order.back() != c) order += c;
  }
  std::string expected = "H";
  for (int i = 1; i < trace::kTopicCount; ++i) expected += "SC";
  expected += "AKXKXKXD";
  for (int i = 1; i < trace::kTopicCount; ++i) expected += "SC";
  EXPECT_EQ(expected + "IaTF", order);

  Walk header{records[0].content};
  EXPECT_EQ("fulgurite", header.text());
  EXPECT_FALSE(header.text().empty()) << "the library";
  EXPECT_TRUE(header.left.empty());

  const auto schemas = with_opcode(records, 0x03), channels = with_opcode(records, 0x04);
  for (uint16_t i = 1; i < trace::kTopicCount; ++i) {
    const std::string name(trace::topic_name(static_cast<trace::Topic>(i)));
    for (const size_t copy : {size_t{i} - 1, size_t{i} - 1 + trace::kTopicCount - 1}) {
      Walk schema{schemas.at(copy).content};
      EXPECT_EQ(i, schema.number<uint16_t>());
      EXPECT_EQ("fulgurite." + name, schema.text());
      EXPECT_EQ("x-fulgurite", schema.text());
      EXPECT_CONTAINS(std::string(schema.text()), "schema.h", "version 1");
      EXPECT_TRUE(schema.left.empty());
      Walk channel{channels.at(copy).content};
      EXPECT_EQ(i, channel.number<uint16_t>());
      EXPECT_EQ(i, channel.number<uint16_t>()) << "its schema";
      EXPECT_EQ(std::string("/").append(name), channel.text());
      EXPECT_EQ("x-fulgurite", channel.text());
      EXPECT_EQ("", channel.text()) << "no metadata";
      EXPECT_TRUE(channel.left.empty());
    }
  }
}

TEST_F(TraceFile, ChunksHoldTheMessages) {
  const auto records = records_of(bytes_);
  const auto chunks = with_opcode(records, 0x06), indexes = with_opcode(records, 0x08);
  ASSERT_EQ(3U, chunks.size()) << "one a step";
  ASSERT_EQ(3U, indexes.size());
  std::map<uint16_t, uint64_t> counts;
  uint64_t messages = 0;
  std::vector<uint64_t> times;
  uint64_t newest = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    Walk chunk{chunks[i].content};
    const auto start = chunk.number<uint64_t>(), end = chunk.number<uint64_t>(),
               size = chunk.number<uint64_t>();
    const auto crc = chunk.number<uint32_t>();
    EXPECT_EQ("", chunk.text()) << "no compression";
    const std::string_view body = chunk.bytes(chunk.number<uint64_t>());
    EXPECT_TRUE(chunk.left.empty());
    EXPECT_EQ(size, body.size());
    EXPECT_EQ(crc, crc_of(body));
    EXPECT_LE(start, end);
    times.insert(times.end(), {start, end});
    std::map<uint16_t, std::vector<std::pair<uint64_t, uint64_t>>> found;  // (time, offset)
    for (Walk walk{body}; !walk.left.empty();) {
      const uint64_t offset = body.size() - walk.left.size();
      ASSERT_EQ(0x05, walk.number<uint8_t>());
      Walk message{walk.bytes(walk.number<uint64_t>())};
      const auto topic_of_message = message.number<uint16_t>();
      ++counts[topic_of_message];
      EXPECT_EQ(messages++, message.number<uint32_t>()) << "sequence";
      const auto log_ns = message.number<uint64_t>();
      EXPECT_TRUE(start <= log_ns && log_ns <= end && newest <= log_ns) << "in order";
      newest = log_ns;
      EXPECT_EQ(log_ns, message.number<uint64_t>());
      found[topic_of_message].emplace_back(log_ns, offset);
    }
    Walk index{indexes[i].content};
    EXPECT_EQ(start, index.number<uint64_t>());
    EXPECT_EQ(end, index.number<uint64_t>());
    EXPECT_EQ(chunks[i].offset, index.number<uint64_t>());
    EXPECT_EQ(chunks[i].end() - chunks[i].offset, index.number<uint64_t>());
    const std::string_view offsets = index.text();
    EXPECT_EQ(found.size(), offsets.size() / 10) << "one index a topic";
    const auto length = index.number<uint64_t>();
    EXPECT_EQ(
        i + 1 < chunks.size() ? chunks[i + 1].offset : with_opcode(records, 0x0F).at(0).offset,
        chunks[i].end() + length);
    // Every message can be found by its topic alone, as readers that seek do.
    for (Walk by_topic{offsets}; !by_topic.left.empty();) {
      const auto topic = by_topic.number<uint16_t>();
      const auto at = by_topic.number<uint64_t>();
      EXPECT_TRUE(at >= chunks[i].end() && at < chunks[i].end() + length);
      ASSERT_EQ(0x07, bytes_.at(at));
      Walk record{std::string_view(bytes_).substr(at + 1)};
      Walk listed{record.bytes(record.number<uint64_t>())};
      EXPECT_EQ(topic, listed.number<uint16_t>());
      std::vector<std::pair<uint64_t, uint64_t>> entries;
      for (Walk entry{listed.text()}; !entry.left.empty();) {
        const auto ns = entry.number<uint64_t>();
        entries.emplace_back(ns, entry.number<uint64_t>());
      }
      EXPECT_TRUE(listed.left.empty());
      EXPECT_EQ(found[topic], entries);
    }
    EXPECT_EQ("", index.text());
    EXPECT_EQ(size, index.number<uint64_t>());
    EXPECT_EQ(size, index.number<uint64_t>());
    EXPECT_TRUE(index.left.empty());
  }
  Walk statistics{with_opcode(records, 0x0B).at(0).content};
  EXPECT_EQ(messages, statistics.number<uint64_t>());
  EXPECT_EQ(trace::kTopicCount - 1, statistics.number<uint16_t>()) << "schemas";
  EXPECT_EQ(trace::kTopicCount - 1U, statistics.number<uint32_t>()) << "channels";
  EXPECT_EQ(1U, statistics.number<uint32_t>()) << "attachments";
  EXPECT_EQ(0U, statistics.number<uint32_t>()) << "metadata";
  EXPECT_EQ(3U, statistics.number<uint32_t>()) << "chunks";
  EXPECT_EQ(times.front(), statistics.number<uint64_t>());
  EXPECT_EQ(times.back(), statistics.number<uint64_t>());
  Walk map{statistics.text()};
  std::map<uint16_t, uint64_t> stated;
  while (!map.left.empty()) {
    const auto channel = map.number<uint16_t>();
    stated[channel] = map.number<uint64_t>();
  }
  EXPECT_EQ(counts, stated);
  EXPECT_TRUE(statistics.left.empty());
}

// Whoever finds the file years later can read it.
TEST_F(TraceFile, CarriesTheLayoutOfItsPayloads) {
  const auto records = records_of(bytes_);
  const McapRecord record = with_opcode(records, 0x09).at(0);
  Walk attachment{record.content};
  const auto log_ns = attachment.number<uint64_t>(), create_ns = attachment.number<uint64_t>();
  EXPECT_EQ("schema.h", attachment.text());
  EXPECT_EQ("text/x-c++", attachment.text());
  const std::string_view text = attachment.bytes(attachment.number<uint64_t>());
  EXPECT_EQ(tests::read_file(tests::repository() / "engine/trace/schema.h"), text);
  EXPECT_EQ(crc_of(record.content.substr(0, record.content.size() - 4)),
            attachment.number<uint32_t>());
  EXPECT_TRUE(attachment.left.empty());

  Walk index{with_opcode(records, 0x0A).at(0).content};
  EXPECT_EQ(record.offset, index.number<uint64_t>());
  EXPECT_EQ(record.end() - record.offset, index.number<uint64_t>());
  EXPECT_EQ(log_ns, index.number<uint64_t>());
  EXPECT_EQ(create_ns, index.number<uint64_t>());
  EXPECT_EQ(text.size(), index.number<uint64_t>());
  EXPECT_EQ("schema.h", index.text());
  EXPECT_EQ("text/x-c++", index.text());
  EXPECT_TRUE(index.left.empty());
}

TEST_F(TraceFile, ChecksumsCoverWhatMcapSays) {
  const auto records = records_of(bytes_);
  const McapRecord data_end = with_opcode(records, 0x0F).at(0), footer = records.back();
  EXPECT_EQ(crc_of(std::string_view(bytes_).substr(0, data_end.offset)),
            Walk{data_end.content}.number<uint32_t>());
  ASSERT_EQ(0x02, footer.opcode);
  Walk walk{footer.content};
  const auto summary_start = walk.number<uint64_t>();
  EXPECT_EQ(data_end.end(), summary_start);
  EXPECT_EQ(0U, walk.number<uint64_t>()) << "no summary offsets";
  const std::string_view covered =
      std::string_view(bytes_).substr(summary_start, footer.offset + 9 + 16 - summary_start);
  EXPECT_EQ(crc_of(covered), walk.number<uint32_t>());
  EXPECT_TRUE(walk.left.empty());
}

TEST_F(TraceFile, ARunThatWasKilledIsReadUpToItsLastChunk) {
  const auto chunks = with_opcode(records_of(bytes_), 0x06);
  const McapRecord data_end = with_opcode(records_of(bytes_), 0x0F).at(0);
  // Around where the data ends, every byte.
  const auto next = [&](size_t cut) {
    const bool near = cut + 400 > data_end.offset && cut <= data_end.end();
    return cut + 1 + (near ? 0 : cut / 60);
  };
  for (size_t cut = 0; cut < bytes_.size(); cut = next(cut)) {
    FileContents contents;
    const auto found = positions(bytes_.substr(0, cut), &contents);
    if (cut < 8) {
      EXPECT_FALSE(found) << "not even its magic, cut to " << cut;
      continue;
    }
    if (!found) continue;  // cut inside its header
    size_t expected = 0;
    const std::vector<size_t> tokens = {3, 4, 5};
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (cut >= chunks[i].end()) expected = tokens[i];
    }
    EXPECT_EQ(expected, *found) << "cut to " << cut;
    EXPECT_EQ(cut >= data_end.end(), contents.complete) << "cut to " << cut;
  }
}

TEST_F(TraceFile, AnUnfinishedFileIsReadWhileItGrows) {
  const std::string path = folder_.file("growing.mcap");
  Log log;
  TraceBuilder builder(log, tests::small_model());
  trace::FileWriter writer(log, path);
  builder.describe();
  builder.start();
  for (uint32_t n = 1; n < 4; ++n) {
    builder.step();
    writer.drain();
    Log loaded;
    EXPECT_FALSE(trace::load_file(path, loaded).complete);
    trace::Reader reader(loaded);
    reader.poll();
    EXPECT_EQ(n, reader.positions());
  }
}

TEST_F(TraceFile, AFlippedBitCostsWhatComesBehindItAlone) {
  std::mt19937 random(1);
  size_t before = 0;
  for (const McapRecord& chunk : with_opcode(records_of(bytes_), 0x06)) {
    const size_t body = chunk.offset + 9 + 8 + 8 + 8 + 4 + 4 + 8;
    for (int i = 0; i < 60; ++i) {
      std::string bytes = bytes_;
      const size_t at = body + random() % (chunk.end() - body);
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      FileContents contents;
      EXPECT_EQ(before, *positions(bytes, &contents));
      EXPECT_TRUE(contents.damaged);
      EXPECT_FALSE(contents.complete);
    }
    before = *positions(bytes_.substr(0, chunk.end()));
  }
}

// What was asked last may have been stopped in its prompt: what was seen before it counts more.
TEST_F(TraceFile, OneOfItsConversationsIsTaken) {
  const std::string path = folder_.file("three.mcap");
  Log log;
  TraceBuilder builder(log, tests::small_model());
  builder.describe();
  for (const uint32_t steps : {2U, 3U, 0U}) {
    builder.start();
    for (uint32_t step = 0; step < steps; ++step) builder.step();
  }
  trace::FileWriter(log, path).finish();
  const auto steps_of = [&](size_t conversation, FileContents& contents) {
    Log loaded;
    contents = trace::load_file(path, loaded, conversation);
    trace::Reader reader(loaded);
    reader.poll();
    EXPECT_EQ(1U, reader.conversation()) << "the others are not in memory";
    EXPECT_NE(nullptr, reader.model());
    return reader.steps();
  };
  FileContents contents;
  EXPECT_EQ(3U, steps_of(0, contents)) << "the last with a step";
  EXPECT_EQ(2U, contents.conversation);
  EXPECT_EQ(3U, contents.conversations);
  EXPECT_TRUE(contents.complete);
  EXPECT_EQ(2U, steps_of(1, contents));
  EXPECT_EQ(1U, contents.conversation);
  EXPECT_EQ(0U, steps_of(3, contents)) << "if somebody asks for it";
  Log loaded;
  try {
    trace::load_file(path, loaded, 4);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kUsage, error.code());
    EXPECT_CONTAINS(error.what(), "there is no conversation 4 (it holds 3)");
  }
}

TEST_F(TraceFile, WhatIsNotOursIsRefused) {
  EXPECT_CONTAINS(refusal(folder_.file("missing")), "cannot be read");
  EXPECT_CONTAINS(refusal(write("")), "is not MCAP");
  EXPECT_CONTAINS(refusal(write("To be, or not to be, that is the question")), "is not MCAP");
  EXPECT_CONTAINS(refusal(write(kMagic)), "has no header");
  std::string foreign = bytes_;
  foreign.replace(foreign.find("fulgurite"), 9, "ros2-bags");
  EXPECT_CONTAINS(refusal(write(foreign)), "of another program");
  Log log;
  EXPECT_THROW(trace::load_file(folder_.file("."), log), Error) << "a folder";
}

TEST_F(TraceFile, ACompressedChunkIsRefusedByName) {
  const McapRecord chunk = with_opcode(records_of(bytes_), 0x06).at(0);
  std::string content(chunk.content);
  const uint32_t four = 4;
  content.replace(28, 4, std::string(reinterpret_cast<const char*>(&four), 4) + "zstd");
  const uint64_t length = content.size();
  const std::string framed =
      std::string("\x06") + std::string(reinterpret_cast<const char*>(&length), 8) + content;
  EXPECT_CONTAINS(refusal(write(bytes_.substr(0, chunk.offset) + framed)),
                  "is compressed with zstd");
}

TEST_F(TraceFile, AChunkThatContradictsItselfIsRefused) {
  const McapRecord chunk = with_opcode(records_of(bytes_), 0x06).at(0);
  std::string bytes = bytes_;
  bytes[chunk.offset + 9 + 16] ^= 1;  // of what would be the size when it is unpacked
  EXPECT_CONTAINS(refusal(write(bytes)), "sizes contradict each other");
}

// A command that is refused before anything happened must not cost an older trace.
TEST_F(TraceFile, WhatIsThereStaysUntilSomethingHappens) {
  const std::string fresh = folder_.file("fresh.mcap");
  {
    Log log;
    trace::FileWriter again(log, path_);
    again.drain();
    const trace::FileWriter nothing(log, fresh);
  }
  EXPECT_EQ(bytes_, tests::read_file(path_));
  EXPECT_FALSE(std::filesystem::exists(fresh));
  Log log;
  TraceBuilder builder(log, tests::small_model());
  trace::FileWriter writer(log, path_);
  builder.describe();
  builder.start();
  builder.step();
  writer.finish();
  EXPECT_EQ(1U, *positions(tests::read_file(path_))) << "then it is replaced as a whole";
}

TEST_F(TraceFile, AnUnwritablePlaceIsSaidAtOnce) {
  try {
    trace::FileWriter writer(log_, folder_.file("no/such/folder.mcap"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kFailed, error.code());
    EXPECT_CONTAINS(error.what(), "no/such/folder.mcap: cannot write the trace");
  }
}

TEST_F(TraceFile, TwoRunsDoNotWriteOne) {
  const std::string path = folder_.file("one.mcap");
  {
    trace::FileWriter first(log_, path);
    EXPECT_THROW(trace::FileWriter(log_, path), Error);
    first.finish();
  }
  EXPECT_TRUE(trace::load_file(path, log_).complete);
  EXPECT_NO_THROW(trace::FileWriter(log_, path)) << "it has ended";
}

TEST_F(TraceFile, MutationsAreRefusedOrReadButNeverCrash) {
  std::mt19937 random(20);
  const auto chunks = with_opcode(records_of(bytes_), 0x06);
  const size_t layout = with_opcode(records_of(bytes_), 0x09).at(0).offset;  // is passed over
  int refused = 0, read = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = bytes_;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) {
      // Mostly where the structure is: the start of the file and of the chunks.
      const McapRecord& chunk = chunks[random() % chunks.size()];
      size_t at = chunks[0].offset + random() % (bytes.size() - chunks[0].offset);
      if (random() % 3 == 0) at = random() % (layout + 9);
      if (random() % 3 == 0)
        at = chunk.offset + random() % std::min<size_t>(chunk.content.size(), 200);
      const std::array<int, 6> values = {0, 1, 0x7F, 0x80, 0xFF, static_cast<int>(random() % 256)};
      bytes[at] = static_cast<char>(values[random() % values.size()]);
    }
    // The checksum right again, or none: what is behind it has to hold by itself.
    for (const McapRecord& chunk : chunks) {
      const size_t body = chunk.offset + 9 + 40;
      const uint32_t crc =
          round % 2 == 0 ? 0 : crc_of(std::string_view(bytes).substr(body, chunk.end() - body));
      std::memcpy(&bytes[chunk.offset + 9 + 24], &crc, sizeof crc);
    }
    (positions(bytes) ? read : refused)++;
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(read, 100);
}

}  // namespace
