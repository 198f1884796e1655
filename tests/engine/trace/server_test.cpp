#include "engine/trace/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

#include "engine/trace/file.h"
#include "engine/trace/follower.h"
#include "engine/trace/reader.h"
#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/in_time.h"
#include "tests/support/trace_builder.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using tests::in_time;
using tests::TraceBuilder;
using trace::Cursor;
using trace::Follower;
using trace::Log;
using trace::Message;
using trace::Server;

using Clock = std::chrono::steady_clock;

bool never() {
  return false;
}

// What comes out of a socket until its end.
std::string all_of(const trace::Descriptor& socket) {
  std::string bytes;
  char part[4096];
  for (;;) {
    pollfd one = {socket.fd(), POLLIN, 0};
    if (poll(&one, 1, 30'000) != 1) return bytes;
    const ssize_t n = recv(socket.fd(), part, sizeof part, 0);
    if (n <= 0) return bytes;
    bytes.append(part, static_cast<size_t>(n));
  }
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class ServedTrace : public ::testing::Test {
 protected:
  ServedTrace() : builder_(log_, tests::small_model()) {}

  void talk(uint32_t steps) {
    builder_.describe();
    builder_.start();
    for (uint32_t i = 0; i < steps; ++i) builder_.step();
  }
  // The messages of a log, without their order's numbers.
  static std::string messages_of(Log& log) {
    std::string all;
    Cursor cursor(log);
    for (Message m; cursor.next(m);) {
      all += std::to_string(static_cast<int>(m.topic)) + ":";
      all.append(reinterpret_cast<const char*>(m.payload.data()), m.payload.size());
    }
    return all;
  }
  static std::string refusal(const std::function<void()>& work, ExitCode code) {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(code, error.code()) << error.what();
      EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
      return error.what();
    }
    return "(accepted)";
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_.file("socket");
  const std::string address_ = "unix:" + path_;
  Log log_;
  TraceBuilder builder_;
};

TEST_F(ServedTrace, IsAWholeFileOfMcap) {
  talk(3);
  Server server(log_, address_);
  const trace::Descriptor viewer = trace::connect_to(server.address());
  builder_.step();
  std::string bytes;
  std::thread reads([&] { bytes = all_of(viewer); });
  EXPECT_TRUE(in_time([&] { return server.watching() == 1; }));
  builder_.note(trace::NoteKind::kFinished, "over");
  server.finish(never);
  reads.join();

  const std::string path = folder_.file("got.mcap");
  write_file(path, bytes);
  Log loaded;
  EXPECT_TRUE(trace::load_file(path, loaded).complete);
  EXPECT_EQ(messages_of(log_), messages_of(loaded));
}

TEST_F(ServedTrace, EverybodyGetsAllOfItWheneverTheyCome) {
  Server server(log_, "tcp:0");
  EXPECT_TRUE(server.address().starts_with("tcp:")) << server.address();
  EXPECT_NE("tcp:0", server.address()) << "a port that is free";
  Log early;
  Log late;
  const Follower first(server.address(), early);
  talk(2);
  trace::Reader reader(early);
  EXPECT_TRUE(in_time([&] { return reader.poll() && reader.steps() == 2; })) << "as it comes";
  builder_.step();
  const Follower second(server.address(), late);
  EXPECT_TRUE(in_time([&] { return server.watching() == 2; }));
  builder_.step();
  builder_.note(trace::NoteKind::kFinished, "over");
  server.finish(never);
  trace::Reader other(late);
  const auto over = [](trace::Reader& r) { return [&r] { return r.poll() && r.finished(); }; };
  EXPECT_TRUE(in_time(over(reader)));
  EXPECT_TRUE(in_time(over(other)));
  EXPECT_EQ(messages_of(log_), messages_of(early)) << "and the end adds no word";
  EXPECT_EQ(messages_of(log_), messages_of(late));
  EXPECT_FALSE(other.failed());
}

TEST_F(ServedTrace, AViewerThatIsSlowHoldsUpNobodyAndMissesDetailAlone) {
  Log log(2 * Log::kChunkBytes);
  TraceBuilder builder(log, tests::small_model());
  builder.describe();
  builder.start();
  Server server(log, address_);
  const trace::Descriptor viewer = trace::connect_to(server.address());
  EXPECT_TRUE(in_time([&] { return server.watching() == 1; }));
  // Much more than the socket and what is copied for a viewer can hold: 1 MB each.
  const std::vector<float> answer(size_t{1} << 18, 1.5F);
  uint32_t steps = 0;
  const auto step = [&] {
    builder.step();
    builder.answer(++steps, 2, answer);
  };
  while (steps < 40) step();
  EXPECT_TRUE(in_time([&] {
    step();
    return log.detail_bytes() <= 16 * Log::kChunkBytes;
  })) << "it is kept for a viewer that does not read";
  builder.note(trace::NoteKind::kFinished, "over");
  std::string bytes;
  std::thread reads([&] { bytes = all_of(viewer); });
  server.finish(never);
  reads.join();
  write_file(folder_.file("got.mcap"), bytes);
  Log loaded;
  EXPECT_TRUE(trace::load_file(folder_.file("got.mcap"), loaded).complete);
  trace::Reader reader(loaded);
  reader.poll();
  EXPECT_EQ(steps, reader.positions());
  EXPECT_TRUE(reader.finished());
  EXPECT_LT(bytes.size(), steps * answer.size() * sizeof(float)) << "but not all detail";
}

TEST_F(ServedTrace, AViewerThatLeavesOrNeverReadsEndsWithTheServer) {
  talk(1);
  const auto begin = Clock::now();
  {
    Server server(log_, address_);
    {
      const trace::Descriptor leaves = trace::connect_to(server.address());
      EXPECT_TRUE(in_time([&] { return server.watching() == 1; }));
    }
    server.finish(never);  // it is not waited for
    EXPECT_EQ(0U, server.watching());
    const trace::Descriptor asleep = trace::connect_to(server.address());
    const std::vector<float> answer(size_t{1} << 22, 1.5F);  // 16 MB
    builder_.answer(1, 2, answer);
    int looks = 0;
    Server another(log_, "tcp:0");
    const trace::Descriptor sleeps = trace::connect_to(another.address());
    EXPECT_TRUE(in_time([&] { return another.watching() == 1; }));
    another.finish([&] { return ++looks > 3; });
    EXPECT_GT(looks, 3) << "somebody has to give up";
  }
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(30));
  EXPECT_NE(0, access(path_.c_str(), F_OK)) << "the path goes with its server";
}

TEST_F(ServedTrace, SoManyMayWatchAndNoMore) {
  talk(1);
  Server server(log_, address_);
  std::vector<trace::Descriptor> viewers;
  for (size_t i = 0; i < Server::kMostViewers; ++i) {
    viewers.push_back(trace::connect_to(server.address()));
    ASSERT_TRUE(in_time([&] { return server.watching() == i + 1; }));
  }
  Log log;
  const Follower late(server.address(), log);
  trace::Reader reader(log);
  EXPECT_TRUE(in_time([&] { return reader.poll() && reader.failed(); }));
  EXPECT_CONTAINS(std::string(reader.note()), address_, "all the viewers");
  viewers.clear();
  EXPECT_TRUE(in_time([&] {
    Log again;
    const Follower follower(server.address(), again);
    trace::Reader looks(again);
    return in_time([&] { return looks.poll(); }) && looks.described();
  })) << "there is room again";
}

// As netcat does that was given no input: it has said all, and reads on.
TEST_F(ServedTrace, WhoeverSaysThatTheyWillSayNothingGetsAWholeFile) {
  talk(2);
  Server server(log_, address_);
  const trace::Descriptor viewer = trace::connect_to(server.address());
  EXPECT_TRUE(in_time([&] { return server.watching() == 1; }));
  shutdown(viewer.fd(), SHUT_WR);
  write_file(folder_.file("got.mcap"), all_of(viewer));
  Log loaded;
  EXPECT_TRUE(trace::load_file(folder_.file("got.mcap"), loaded).complete);
  EXPECT_EQ(messages_of(log_), messages_of(loaded));
}

TEST_F(ServedTrace, APathThatAnotherHasTakenOverIsNotRemoved) {
  {
    const Server first(log_, address_);
    std::filesystem::remove(path_);
    std::string address = address_;
    const trace::Descriptor second = trace::listen_at(address);
    EXPECT_EQ(0, access(path_.c_str(), F_OK));
  }
  EXPECT_EQ(0, access(path_.c_str(), F_OK));
}

TEST_F(ServedTrace, AnAddressIsOfThisMachine) {
  EXPECT_TRUE(trace::is_address("tcp:1"));
  EXPECT_TRUE(trace::is_address("unix:a"));
  EXPECT_FALSE(trace::is_address("talk.mcap"));
  EXPECT_FALSE(trace::is_address("/tmp/unix:"));
  const auto listen = [&](std::string address) {
    return refusal([&] { trace::listen_at(address); }, ExitCode::kUsage);
  };
  EXPECT_CONTAINS(listen("tcp:0.0.0.0:7777"), "tcp:0.0.0.0:7777", "of this machine", "ssh -L");
  EXPECT_CONTAINS(listen("tcp:example.org:7777"), "of this machine");
  EXPECT_CONTAINS(listen("tcp:[::1]:7777"), "of this machine");
  for (const char* wrong : {"tcp:", "tcp:x", "tcp:65536", "tcp:-1", "tcp:1 ", "tcp: 1", "tcp:+1",
                            "tcp:localhost:", "tcp:99999999999999999999"}) {
    EXPECT_CONTAINS(listen(wrong), "is no port") << wrong;
  }
  EXPECT_CONTAINS(listen("unix:"), "is no path");
  EXPECT_CONTAINS(listen("unix:/" + std::string(108, 'a')), "is no path", "107");
  EXPECT_CONTAINS(listen("talk.mcap"), "is no address");
  const auto connect = [&](const std::string& address, ExitCode code) {
    return refusal([&] { trace::connect_to(address); }, code);
  };
  EXPECT_CONTAINS(connect("tcp:10.0.0.1:7777", ExitCode::kUsage), "of this machine");
  EXPECT_CONTAINS(connect(address_, ExitCode::kFailed), "cannot be reached", "--serve " + address_);
  std::string port = "tcp:0";
  { const trace::Descriptor bound = trace::listen_at(port); }
  EXPECT_CONTAINS(connect(port, ExitCode::kFailed), "cannot be reached", "refused");
}

TEST_F(ServedTrace, APathIsTakenOnlyFromTheDead) {
  const auto listen = [&] {
    return refusal([&] { const Server server(log_, address_); }, ExitCode::kFailed);
  };
  {
    std::string address = address_;
    const trace::Descriptor killed = trace::listen_at(address);  // leaves its path behind
    struct stat found = {};
    ASSERT_EQ(0, stat(path_.c_str(), &found));
    EXPECT_EQ(0600U, found.st_mode & 0777U) << "nobody else may watch";
    EXPECT_CONTAINS(listen(), "nothing can listen there", address_) << "it lives";
    EXPECT_LT(accept(killed.fd(), nullptr, nullptr), 0) << "and nobody has called there";
  }
  EXPECT_EQ("(accepted)", listen());
  write_file(path_, "a diary");
  EXPECT_CONTAINS(listen(), "nothing can listen there");
  EXPECT_EQ("a diary", tests::read_file(path_));
}

}  // namespace
