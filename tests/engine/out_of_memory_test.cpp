// A forward pass with every light on, while memory gives out at one allocation after the other:
// what comes out is std::bad_alloc, never the end of the program, and the model lives on.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/support/conversation.h"

namespace {

std::atomic<int64_t> left{-1};  // allocations that still succeed; below 0: all

void* allocate(size_t bytes, size_t alignment) {
  if (left.load() >= 0 && left.fetch_sub(1) <= 0) {
    left = 0;
    throw std::bad_alloc();
  }
  bytes = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, std::max(bytes, alignment));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Of the whole program of tests.
void* operator new(size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t /*bytes*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

namespace {

using tests::Conversation;

constexpr const char* kPrompt = "Kind hearts and good ends";

std::vector<int32_t> tokens_of(Conversation& talk) {
  talk.run(kPrompt, 4);
  std::vector<int32_t> ids;
  for (uint32_t p = 0; p < talk.reader.positions(); ++p)
    ids.push_back(talk.reader.position(p).token.record->id);
  return ids;
}

struct Case {
  const char* model;
  trace::Level level;
};

class OutOfMemory : public ::testing::TestWithParam<Case> {};

TEST_P(OutOfMemory, InAPassIsAnExceptionAndTheModelLivesOn) {
  REQUIRE_SHARED_DATA();
  const std::string path =
      tests::shared_data("models/synth/" + std::string(GetParam().model) + ".gguf").string();
  std::vector<int32_t> expected;
  {
    Conversation talk(path, GetParam().level);
    expected = tokens_of(talk);
  }
  int failed = 0;
  bool enough = false;
  for (int64_t most = 0; !enough; most += 1 + most / 16) {
    Conversation talk(path, GetParam().level);
    talk.session.start(engine::Generate{kPrompt, 4, tests::kGreedy});
    left = most;
    try {
      while (!talk.session.finished()) talk.session.step();
      enough = left > 0;
      left = -1;
    } catch (const std::bad_alloc&) {
      left = -1;
      ++failed;
      talk.session.abandon("no memory", trace::NoteKind::kFailed);
    }
    EXPECT_EQ(expected, tokens_of(talk)) << "after " << most << " allocations";
  }
  EXPECT_GT(failed, 20);
}

INSTANTIATE_TEST_SUITE_P(Models, OutOfMemory,
                         ::testing::Values(Case{"llama-gqa", trace::Level::kLive},
                                           Case{"llama-gqa-q8_0", trace::Level::kFull},
                                           Case{"qwen2moe", trace::Level::kLive},
                                           Case{"qwen2moe", trace::Level::kFull}),
                         [](const auto& one) {
                           std::string name = one.param.model;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name +
                                  (one.param.level == trace::Level::kFull ? "_full" : "_live");
                         });

}  // namespace
