// Looking changes nothing, nor do threads: one bit of a logit, or of what is written down.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>

#include "tests/support/conversation.h"
#include "tests/support/every_family.h"
#include "tests/support/oracle.h"
#include "tests/support/wide_llama.h"

namespace {

using tests::Conversation;
using trace::Level;

constexpr const char* kPrompt = "Once upon a time, there was a little girl";

class Levels : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    path_ = GetParam();
    for (const tests::WideLlama& wide : tests::wide_llamas()) {
      if (path_ == wide.name()) path_ = tests::wide_llama(folder_, wide);
    }
    if (path_ != GetParam()) return;
    REQUIRE_SHARED_DATA();
    path_ = tests::model_path(GetParam()).string();
  }
  std::unique_ptr<Conversation> talk(Level level, int threads) const {
    return std::make_unique<Conversation>(path_, level, uint64_t{1} << 30, threads);
  }

  tests::TempFolder folder_;
  std::string path_;
};

TEST_P(Levels, NorThreadsChangeOneBitOfTheLogits) {
  const auto first = talk(Level::kOff, 1);
  std::vector<std::unique_ptr<Conversation>> others;
  for (const int threads : {1, 2, 3, 4}) {
    for (const Level level : {Level::kLive, Level::kFull}) others.push_back(talk(level, threads));
  }
  const engine::Generate generate{kPrompt, 16, tests::kGreedy};
  first->session.start(generate);
  for (auto& other : others) other->session.start(generate);
  for (int step = 0; !first->session.finished(); ++step) {
    first->session.step();
    for (auto& other : others) {
      other->session.step();
      ASSERT_TRUE(tests::same_bits(first->session.logits(), other->session.logits())) << step;
    }
  }
}

// Bits of all that a position has but its times.
template <class T>
void expect_same(std::span<const T> a, std::span<const T> b, const char* what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  if (a.empty()) return;
  EXPECT_EQ(0, std::memcmp(a.data(), b.data(), a.size_bytes())) << what;
}

TEST_P(Levels, ThreadsDoNotChangeOneBitOfTheTrace) {
  for (const Level level : {Level::kLive, Level::kFull}) {
    const auto one = talk(level, 1);
    one->run(kPrompt, 16);
    ASSERT_GE(one->reader.positions(), size_t{16});
    for (const int threads : {2, 3, 4}) {
      const auto several = talk(level, threads);
      several->run(kPrompt, 16);
      ASSERT_EQ(one->reader.positions(), several->reader.positions());
      for (size_t p = 0; p < one->reader.positions(); ++p) {
        SCOPED_TRACE(::testing::Message() << threads << " threads, position " << p);
        const trace::Position& a = one->reader.position(p);
        const trace::Position& b = several->reader.position(p);
        expect_same(a.attention.bias_share, b.attention.bias_share, "bias_share");
        expect_same(a.attention.heads, b.attention.heads, "heads");
        for (uint32_t l = 0; l < one->reader.model()->record.layers; ++l) {
          for (uint32_t h = 0; h < a.attention.record->heads; ++h)
            expect_same(a.attention.reads_of(l, h), b.attention.reads_of(l, h), "reads");
        }
        expect_same(a.kv.k_norm, b.kv.k_norm, "k_norm");
        expect_same(a.kv.v_norm, b.kv.v_norm, "v_norm");
        expect_same(a.kv.read, b.kv.read, "read");
        expect_same(a.ffn.rms, b.ffn.rms, "ffn rms");
        expect_same(a.ffn.bucket_share, b.ffn.bucket_share, "bucket_share");
        expect_same(a.ffn.rest_share, b.ffn.rest_share, "rest_share");
        expect_same(a.ffn.top, b.ffn.top, "neurons");
        expect_same(a.experts.probability, b.experts.probability, "experts");
        expect_same(a.experts.used, b.experts.used, "experts at work");
        expect_same(a.residual.rms, b.residual.rms, "residual");
        expect_same(a.residual.update, b.residual.update, "updates");
        expect_same(a.logits.candidates, b.logits.candidates, "candidates");
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

// What is listed of a part of the full trace by this number of its own.
template <class T>
const T* listed(std::span<const T> all, uint32_t T::*number, uint32_t wanted) {
  const auto found = std::ranges::find(all, wanted, number);
  return found == all.end() ? nullptr : &*found;
}

TEST_P(Levels, WhatLiveListsIsWhatFullSaysOfIt) {
  constexpr double kSame = 2e-5;  // shares: two ways to the same sum
  const auto live = talk(Level::kLive, 2);
  const auto full = talk(Level::kFull, 2);
  live->run(kPrompt, 24);
  full->run(kPrompt, 24);
  const auto& model = live->reader.model()->record;
  ASSERT_EQ(live->reader.positions(), full->reader.positions());
  for (size_t p = 0; p < live->reader.positions(); ++p) {
    const trace::Position& a = live->reader.position(p);
    const trace::Position& b = full->reader.position(p);
    expect_same(a.kv.read, b.kv.read, "read");
    const auto few = a.ffn.top.size() / model.layers;
    const auto all = b.ffn.top.size() / model.layers;
    ASSERT_GT(few, 0U);
    for (uint32_t l = 0; l < model.layers; ++l) {
      SCOPED_TRACE(::testing::Message() << "position " << p << ", layer " << l);
      for (uint32_t h = 0; h < model.heads; ++h) {
        EXPECT_NEAR(a.attention.head(l, h).share, b.attention.head(l, h).share, kSame);
        for (const trace::KvRead& read : a.attention.reads_of(l, h)) {
          const auto* same =
              listed(b.attention.reads_of(l, h), &trace::KvRead::position, read.position);
          ASSERT_NE(nullptr, same);
          EXPECT_EQ(read.weight, same->weight);
          EXPECT_NEAR(read.share, same->share, kSame);
        }
      }
      for (const trace::NeuronShare& neuron : a.ffn.top.subspan(l * few, few)) {
        const auto* same =
            listed(b.ffn.top.subspan(l * all, all), &trace::NeuronShare::neuron, neuron.neuron);
        ASSERT_NE(nullptr, same);
        EXPECT_EQ(neuron.activation, same->activation);
        EXPECT_NEAR(neuron.share, same->share, kSame);
      }
    }
    if (::testing::Test::HasFailure()) return;
  }
}

std::vector<std::string> models() {
  std::vector<std::string> list = tests::every_family();
  list.push_back("synth/llama-gqa");
  for (const tests::WideLlama& wide : tests::wide_llamas()) list.push_back(wide.name());
  return list;
}

INSTANTIATE_TEST_SUITE_P(Models, Levels, ::testing::ValuesIn(models()), tests::TestName());

}  // namespace
