// What the shares claim is what the weights do: a head that is taken away has no share, and
// only what comes after it changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "model/error.h"
#include "tests/support/conversation.h"
#include "tests/support/oracle.h"
#include "tests/support/rewrite_gguf.h"

namespace {

using tests::Conversation;

// A copy of the model in which columns first <= i < last of a matrix are zero.
void write_without_columns(const std::string& from, const std::string& to, const std::string& name,
                           int64_t first, int64_t last) {
  int changed = 0;
  tests::rewrite_gguf(from, to, {{}, [&](const model::Tensor& t, std::vector<float>& values) {
                                   if (t.name != name) return true;
                                   for (int64_t i = 0; i < t.rows(); ++i) {
                                     float* row = values.data() + i * t.cols();
                                     std::fill(row + first, row + last, 0.0F);
                                   }
                                   ++changed;
                                   return true;
                                 }});
  ASSERT_GT(changed, 0);
}

class WithoutAHead : public ::testing::TestWithParam<std::string> {
 protected:
  WithoutAHead() : whole_(GetParam(), trace::Level::kFull) {
    const model::Config& c = whole_.model.network->config();
    layer_ = c.n_layer / 2;
    head_ = c.n_head - 2;
    const std::string path = folder_.file("without.gguf");
    write_without_columns(GetParam(), path, matrix("attn_output"), head_ * c.head_dim,
                          (head_ + 1) * c.head_dim);
    without_ = std::make_unique<Conversation>(path, trace::Level::kFull);
    for (Conversation* talk : {&whole_, without_.get()}) {
      talk->session.start(engine::Generate{"Once upon a time there was", 1, tests::kGreedy});
      talk->session.step();  // the prompt: the same tokens for both
      talk->reader.poll();
    }
  }
  std::string matrix(const std::string& name) const {
    return "blk." + std::to_string(layer_) + "." + name + ".weight";
  }
  template <class T>
  static bool same(std::span<const T> a, std::span<const T> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
  }

  tests::TempFolder folder_;
  Conversation whole_;
  std::unique_ptr<Conversation> without_;
  int64_t layer_ = 0, head_ = 0;
};

TEST_P(WithoutAHead, ItsShareIsZeroAndOnlyLaterLayersChange) {
  const trace::ModelRecord& m = whole_.reader.model()->record;
  ASSERT_EQ(whole_.reader.positions(), without_->reader.positions());
  const auto zeroed = static_cast<size_t>(layer_);
  const auto gone = static_cast<size_t>(head_);
  for (size_t p = 0; p < whole_.reader.positions(); ++p) {
    SCOPED_TRACE(::testing::Message() << "position " << p);
    const trace::Position& a = whole_.reader.position(p);
    const trace::Position& b = without_->reader.position(p);

    EXPECT_NE(0.0F, a.attention.head(zeroed, gone).share);
    EXPECT_EQ(0.0F, b.attention.head(zeroed, gone).share);
    EXPECT_EQ(0.0F, b.attention.head(zeroed, gone).norm);
    EXPECT_EQ(0.0F, b.attention.head(zeroed, gone).rest_share);
    for (const trace::KvRead& read : b.attention.reads_of(zeroed, gone))
      EXPECT_EQ(0.0F, read.share);
    double rest = 0.0;
    for (size_t h = 0; h < m.heads; ++h) {
      if (h == gone) continue;
      const trace::HeadShare& left = b.attention.head(zeroed, h);
      EXPECT_NE(0.0F, left.share);
      EXPECT_EQ(a.attention.head(zeroed, h).norm, left.norm) << "what the others write is the same";
      rest += double{left.share};
    }
    EXPECT_NEAR(1.0, rest, 1e-4) << "the others share the whole among them";

    for (size_t l = 0; l < m.layers; ++l) {
      const bool heads = same(a.attention.heads.subspan(l * m.heads, m.heads),
                              b.attention.heads.subspan(l * m.heads, m.heads));
      const bool ffn = same(a.ffn.rms.subspan(l * m.buckets, m.buckets),
                            b.ffn.rms.subspan(l * m.buckets, m.buckets));
      const bool into = a.residual.rms[l * 3] == b.residual.rms[l * 3];
      if (l < zeroed) {
        EXPECT_TRUE(heads && ffn && into) << "layer " << l << " lies below";
      } else {
        EXPECT_FALSE(heads || ffn) << "layer " << l << " lies above";
        EXPECT_EQ(l == zeroed, into);
      }
    }
  }
  EXPECT_FALSE(tests::same_bits(whole_.session.logits(), without_->session.logits()));
}

// What a model says that runs without a part, by muting it and by taking its weights away.
void expect_same_text(Conversation& muted, Conversation& without, const trace::MutedPart& part) {
  engine::Generate what{"Once upon a time there was", 24, tests::kGreedy};
  without.session.start(what);
  what.muted = {part};
  muted.session.start(what);
  while (!without.session.finished()) {
    without.session.step();
    muted.session.step();
    ASSERT_EQ(without.session.logits(), muted.session.logits());
  }
  EXPECT_EQ(without.session.tokens(), muted.session.tokens());
}

TEST_P(WithoutAHead, AMutedHeadIsOneWhoseColumnsOfWOAreZero) {
  const trace::MutedPart head{trace::MutedKind::kHead, static_cast<uint32_t>(layer_),
                              static_cast<uint32_t>(head_)};
  expect_same_text(whole_, *without_, head);
  whole_.reader.poll();
  without_->reader.poll();
  ASSERT_EQ(1U, whole_.reader.muted().size());
  EXPECT_EQ(head, whole_.reader.muted()[0]);
  for (size_t p = 0; p < whole_.reader.positions(); ++p) {
    const trace::Position& a = whole_.reader.position(p);
    const trace::Position& b = without_->reader.position(p);
    EXPECT_TRUE(same(a.attention.heads, b.attention.heads)) << "position " << p;
    EXPECT_TRUE(same(a.kv.read, b.kv.read)) << "position " << p;
    EXPECT_TRUE(same(a.residual.rms, b.residual.rms)) << "position " << p;
  }
}

TEST_P(WithoutAHead, MutedNeuronsAreThoseWhoseColumnsOfWDownAreZero) {
  const int64_t n_ff = whole_.model.network->config().n_ff;
  for (const bool all : {false, true}) {
    const int64_t first = all ? 0 : 5;
    const std::string path = folder_.file("without_neurons.gguf");
    write_without_columns(GetParam(), path, matrix("ffn_down"), first, all ? n_ff : first + 1);
    Conversation without(path, trace::Level::kFull);
    expect_same_text(whole_, without,
                     {all ? trace::MutedKind::kNeurons : trace::MutedKind::kNeuron,
                      static_cast<uint32_t>(layer_), static_cast<uint32_t>(first)});
  }
}

TEST_P(WithoutAHead, WhatIsLookedAtLaterWasRunWithoutItToo) {
  engine::Generate what{"Once upon a time there was", 3, tests::kGreedy};
  what.muted = {{trace::MutedKind::kHeads, static_cast<uint32_t>(layer_), 0}};
  whole_.session.start(what);
  while (!whole_.session.finished()) whole_.session.step();
  const std::string layer = "blk." + std::to_string(layer_);
  for (const uint32_t position : {0U, 4U}) {
    EXPECT_EQ(0.0F, whole_.ask(layer + ".attn.z", position).record->rms);
    EXPECT_NE(0.0F, whole_.ask(layer + ".attn.weights", position).record->rms) << "it still looks";
  }
}

// A copy of the model in which expert e of a matrix of so many is zero.
void write_without_expert(const std::string& from, const std::string& to, const std::string& name,
                          int64_t e, int64_t experts) {
  std::string bytes = tests::read_file(from);
  const model::ModelFile file = model::open_gguf(from);
  const model::Tensor* tensor = file.find_tensor(name);
  ASSERT_NE(nullptr, tensor) << name;
  const std::string_view whole(reinterpret_cast<const char*>(tensor->data), tensor->bytes());
  const size_t at = bytes.find(whole);
  ASSERT_NE(std::string::npos, at);
  const size_t size = whole.size() / static_cast<size_t>(experts);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at + static_cast<size_t>(e) * size), size,
              '\0');
  std::ofstream(to, std::ios::binary) << bytes;
}

// Also the one that always works, behind them.
TEST(WithoutAnExpert, AMutedExpertIsOneWhoseWDownIsZero) {
  REQUIRE_SHARED_DATA();
  for (const char* name : {"olmoe", "qwen2moe", "mixtral"}) {
    const std::string path =
        tests::shared_data("models/synth/" + std::string(name) + ".gguf").string();
    Conversation whole(path);
    const model::Config& c = whole.model.network->config();
    const int64_t layer = c.n_layer - 1;
    const int64_t experts = c.n_expert + (c.n_ff_shared > 0 ? 1 : 0);
    for (int64_t e = c.n_expert / 2; e < experts; ++e) {
      SCOPED_TRACE(::testing::Message() << name << ", expert " << e);
      const bool shared = e == c.n_expert;
      const std::string matrix = "blk." + std::to_string(layer) +
                                 (shared ? ".ffn_down_shexp.weight" : ".ffn_down_exps.weight");
      const tests::TempFolder folder;
      write_without_expert(path, folder.file("without.gguf"), matrix, shared ? 0 : e,
                           shared ? 1 : c.n_expert);
      Conversation without(folder.file("without.gguf"));
      expect_same_text(
          whole, without,
          {trace::MutedKind::kExpert, static_cast<uint32_t>(layer), static_cast<uint32_t>(e)});
    }
    engine::Generate beyond{"A", 1, tests::kGreedy};
    beyond.muted = {{trace::MutedKind::kExpert, 0, static_cast<uint32_t>(experts)}};
    EXPECT_THROW(whole.session.start(beyond), fulgurite::Error);
  }
  Conversation dense(tests::gqa_model_path());
  engine::Generate what{"A", 1, tests::kGreedy};
  what.muted = {{trace::MutedKind::kExpert, 0, 0}};
  EXPECT_THROW(dense.session.start(what), fulgurite::Error) << "it has none";
}

INSTANTIATE_TEST_SUITE_P(Models, WithoutAHead,
                         ::testing::Values(tests::builtin_model_path(), tests::gqa_model_path()),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

}  // namespace
