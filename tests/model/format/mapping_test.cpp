#include "model/format/mapping.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "model/format/atomic_file.h"
#include "tests/support/data.h"

namespace {

using model::Mapping;

void write_bytes(const std::string& path, size_t n) {
  std::ofstream(path, std::ios::binary) << std::string(n, 'x');
}

int touch_last(const Mapping& mapping) {
  const volatile std::byte& last = mapping.bytes().back();
  return std::to_integer<int>(last);
}

// What a program does that maps the file, sees it shrink and goes on reading.
[[noreturn]] void read_a_shrunken_file(const std::string& path) {
  const auto mapping = Mapping::open(path);
  if (::truncate(path.c_str(), 10) != 0) _exit(99);
  _exit(100 + touch_last(*mapping) % 2);
}

TEST(Mapping, AFileThatShrinksEndsTheProgramWithASentence) {
  const tests::TempFolder folder;
  const std::string path = folder.file("model\n.gguf");
  write_bytes(path, 1 << 20);
  EXPECT_EXIT(read_a_shrunken_file(path), testing::ExitedWithCode(3),
              "^fulgurite: .*model.x0A.gguf: the file shrank while it was being read .*\\)\n$");
}

TEST(Mapping, SeveralThreadsThatMissThePartSayItOnce) {
  const tests::TempFolder folder;
  const std::string path = folder.file("model.gguf");
  write_bytes(path, 1 << 20);
  const auto read_all_over = [&] {
    const auto mapping = Mapping::open(path);
    if (::truncate(path.c_str(), 10) != 0) _exit(99);
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < 8) std::this_thread::yield();
        _exit(100 + touch_last(*mapping) % 2);
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  for (int i = 0; i < 5; ++i) {
    EXPECT_EXIT(read_all_over(), testing::ExitedWithCode(3),
                "^fulgurite: [^:]*model.gguf: the file shrank while it was being read [^\n]*\n$");
    write_bytes(path, 1 << 20);
  }
}

TEST(Mapping, AFileThatShrinksLeavesNoHalfOfAnother) {
  const tests::TempFolder folder;
  const std::string path = folder.file("model.gguf");
  const std::string out = folder.file("out.gguf");
  write_bytes(path, 1 << 20);
  const auto write_beside = [&] {
    const std::byte some[10] = {};
    model::AtomicFile file(out);
    file.write(some);
    if (!std::filesystem::exists(out + ".part")) _exit(98);
    read_a_shrunken_file(path);
  };
  EXPECT_EXIT(write_beside(), testing::ExitedWithCode(3), "shrank");
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_FALSE(std::filesystem::exists(out + ".part"));
}

TEST(Mapping, TheOneOfManyFilesThatShrankIsNamed) {
  const tests::TempFolder folder;
  std::vector<std::shared_ptr<const Mapping>> mappings;
  for (int i = 0; i < 20; ++i) {
    const std::string path = folder.file("part" + std::to_string(i) + ".bin");
    write_bytes(path, 100000);
    mappings.push_back(Mapping::open(path));
  }
  mappings.erase(mappings.begin(), mappings.begin() + 10);
  EXPECT_EXIT(read_a_shrunken_file(folder.file("part15.bin")), testing::ExitedWithCode(3),
              "part15.bin: the file shrank");
  EXPECT_EQ('x', touch_last(*mappings.front())) << "the others are still there";
}

TEST(Mapping, ABusErrorElsewhereTakesItsCourse) {
  const tests::TempFolder folder;
  write_bytes(folder.file("a"), 100);
  const auto mapping = Mapping::open(folder.file("a"));
  EXPECT_EXIT(std::raise(SIGBUS); std::raise(SIGBUS), testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
