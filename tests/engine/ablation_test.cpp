// What the shares claim is what the weights do: a head that is taken away has no share, and
// only what comes after it changes.
#include <gtest/gtest.h>

#include <algorithm>

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

INSTANTIATE_TEST_SUITE_P(Models, WithoutAHead,
                         ::testing::Values(tests::builtin_model_path(), tests::gqa_model_path()),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

}  // namespace
