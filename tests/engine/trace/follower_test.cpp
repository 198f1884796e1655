#include "engine/trace/follower.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "engine/trace/file.h"
#include "engine/trace/reader.h"
#include "engine/trace/socket.h"
#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/in_time.h"
#include "tests/support/trace_builder.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using tests::in_time;
using tests::TraceBuilder;
using trace::Follower;
using trace::Log;

class FollowedTrace : public ::testing::Test {
 protected:
  // A conversation as a file, whole.
  std::string written() {
    const std::string path = folder_.file("whole.mcap");
    Log log;
    TraceBuilder builder(log, tests::small_model());
    trace::FileWriter writer(log, path);
    builder.describe();
    builder.start();
    for (int i = 0; i < 3; ++i) {
      builder.step();
      writer.drain();
    }
    writer.finish();
    return tests::read_file(path);
  }
  // In the middle of its chunks, which lie behind the layout that every trace carries.
  static size_t middle(const std::string& bytes) {
    return (bytes.find("}  // namespace trace") + bytes.size()) / 2;
  }
  void append_to_file(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::app) << bytes;
  }
  // What is said in the end of a file, or a connection, that ends so.
  struct Ending {
    size_t steps = 0;
    bool failed = false;
    std::string note;
  };
  Ending sent(const std::string& bytes) const {
    std::string address = "unix:" + folder_.file("socket");
    std::filesystem::remove(folder_.file("socket"));
    const trace::Descriptor listens = trace::listen_at(address);
    Log log;
    const Follower follower(address, log);
    std::thread writes([&] {
      const trace::Descriptor to(accept(listens.fd(), nullptr, nullptr));
      for (size_t at = 0; at < bytes.size(); at += 1000) {
        const size_t n = std::min<size_t>(1000, bytes.size() - at);
        if (send(to.fd(), bytes.data() + at, n, MSG_NOSIGNAL) < 0) return;
      }
    });
    trace::Reader reader(log);
    EXPECT_TRUE(in_time([&] {
      reader.poll();
      return reader.finished();
    }));
    writes.join();
    return {reader.steps(), reader.failed(), std::string(reader.note())};
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_.file("growing.mcap");
};

TEST_F(FollowedTrace, AFileIsTakenInAsItGrowsByteByByte) {
  const std::string bytes = written();
  append_to_file("");
  Log log;
  const Follower follower(path_, log);
  trace::Reader reader(log);
  for (size_t at = 0; at < bytes.size(); at += 97) {
    append_to_file(bytes.substr(at, 97));
    if (at % (97 * 7) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    reader.poll();
  }
  EXPECT_TRUE(in_time([&] {
    reader.poll();
    return reader.finished();
  }));
  EXPECT_EQ(3U, reader.steps());
  EXPECT_FALSE(reader.failed()) << reader.note();
  EXPECT_CONTAINS(std::string(reader.note()), "the end of " + path_);
}

TEST_F(FollowedTrace, AFileIsShownWhileItIsWritten) {
  Log log;
  TraceBuilder builder(log, tests::small_model());
  trace::FileWriter writer(log, path_);
  Log followed;
  const Follower follower(path_, followed);
  trace::Reader reader(followed);
  builder.describe();
  builder.start();
  for (uint32_t n = 1; n < 4; ++n) {
    builder.step();
    writer.drain();
    EXPECT_TRUE(in_time([&] { return reader.poll() && reader.steps() == n; }));
    EXPECT_FALSE(reader.finished());
  }
  builder.note(trace::NoteKind::kFinished, "over");
  writer.finish();
  EXPECT_TRUE(in_time([&] { return reader.poll() && reader.finished(); }));
  EXPECT_EQ("over", reader.note());
}

TEST_F(FollowedTrace, AFileThatIsBegunAnewOrReplacedEndsWithASentence) {
  const std::string bytes = written();
  const auto begin_anew = [&] { std::filesystem::resize_file(path_, 8); };
  const auto replace = [&] { std::filesystem::rename(folder_.file("whole.mcap"), path_); };
  for (const std::function<void()>& change : {std::function(begin_anew), std::function(replace)}) {
    std::filesystem::remove(path_);
    append_to_file(bytes.substr(0, middle(bytes)));
    Log log;
    const Follower follower(path_, log);
    trace::Reader reader(log);
    EXPECT_TRUE(in_time([&] { return reader.poll() && reader.described(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    change();
    EXPECT_TRUE(in_time([&] { return reader.poll() && reader.finished(); }));
    EXPECT_TRUE(reader.failed());
    EXPECT_CONTAINS(std::string(reader.note()), path_, "broke off");
  }
}

TEST_F(FollowedTrace, AConnectionMayBreakOffAnywhere) {
  const std::string bytes = written();
  for (size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 40) {
    const Ending ending = sent(bytes.substr(0, cut));
    EXPECT_TRUE(ending.failed || cut > middle(bytes)) << cut;
    if (ending.steps > 0 && ending.failed) {
      EXPECT_CONTAINS(ending.note, "broke off");
    }
  }
  const Ending whole = sent(bytes);
  EXPECT_EQ(3U, whole.steps);
  EXPECT_FALSE(whole.failed) << whole.note;
}

TEST_F(FollowedTrace, WhatIsNoTraceIsSaidInOneLine) {
  EXPECT_CONTAINS(sent("HTTP/1.1 400 Bad Request\r\n\r\n").note, "is not MCAP");
  EXPECT_CONTAINS(sent("").note, "said nothing", "serves no trace");
  EXPECT_CONTAINS(sent("\x89MC").note, "is not MCAP");
  std::string bytes = written();
  bytes[bytes.find("fulgurite")] = 'x';
  EXPECT_CONTAINS(sent(bytes).note, "of another program");
  // A record of 2^62 bytes: its writer is not even listened to.
  std::string huge = written().substr(0, 8 + 1 + 8 + 4 + 9 + 4 + 9);  // magic and header
  huge += std::string("\x06\0\0\0\0\0\0\0\x40", 9) + std::string(1'000'000, 'x');
  const Ending ending = sent(huge);
  EXPECT_TRUE(ending.failed);
  EXPECT_EQ(0U, ending.steps);
}

TEST_F(FollowedTrace, AFlippedBitEndsItThere) {
  std::string bytes = written();
  bytes[middle(bytes)] ^= 1;
  const Ending ending = sent(bytes);
  EXPECT_TRUE(ending.failed);
  EXPECT_LT(ending.steps, 3U);
}

TEST_F(FollowedTrace, WhatCannotBeFollowedIsSaidAtOnce) {
  const auto refusal = [&](const std::string& what, ExitCode code) {
    Log log;
    try {
      const Follower follower(what, log);
    } catch (const Error& error) {
      EXPECT_EQ(code, error.code());
      return std::string(error.what());
    }
    return std::string("(accepted)");
  };
  EXPECT_CONTAINS(refusal(folder_.file("none"), ExitCode::kBadModel), "none", "--trace");
  EXPECT_CONTAINS(refusal(folder_.file("."), ExitCode::kBadModel), "cannot be followed");
  ASSERT_EQ(0, mkfifo(folder_.file("pipe").c_str(), 0600));
  EXPECT_CONTAINS(refusal(folder_.file("pipe"), ExitCode::kBadModel), "cannot be followed");
  EXPECT_CONTAINS(refusal("tcp:host:1", ExitCode::kUsage), "of this machine");
}

TEST_F(FollowedTrace, WhoeverWaitsCanBeStopped) {
  append_to_file("");
  const auto begin = std::chrono::steady_clock::now();
  {
    Log log;
    const Follower follower(path_, log);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
