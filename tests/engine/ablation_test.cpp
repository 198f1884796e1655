// What the shares claim is what the weights do: a head that is taken away has no share, and
// only what comes after it changes.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/conversation.h"
#include "tests/support/oracle.h"

namespace {

using tests::Conversation;

// A copy of the model in which one head's columns of the output projection are zero.
void write_without_head(const std::string& from, const std::string& to, int64_t layer, int64_t head,
                        int64_t head_dim) {
  const model::ModelFile file = model::open_gguf(from);
  model::GgufWriter writer;
  for (const auto& [key, value] : file.metadata()) {
    if (key != "general.alignment") writer.add(key, value);
  }
  int changed = 0;
  for (const model::Tensor& t : file.tensors()) {
    std::vector<float> values(static_cast<size_t>(t.elements()));
    for (int64_t i = 0; i < t.rows(); ++i) {
      float* row = values.data() + i * t.cols();
      dequantize_row(t, i, row);
      if (t.name != "blk." + std::to_string(layer) + ".attn_output.weight") continue;
      std::fill(row + head * head_dim, row + (head + 1) * head_dim, 0.0F);
      ++changed;
    }
    writer.add_tensor(t.name, t.rows(), t.cols(), t.dtype, values.data());
  }
  ASSERT_GT(changed, 0);
  writer.write(to);
}

class WithoutAHead : public ::testing::TestWithParam<std::string> {
 protected:
  WithoutAHead() : whole_(GetParam(), trace::Level::kFull) {
    const model::Config& c = whole_.model.network->config();
    layer_ = c.n_layer / 2;
    head_ = c.n_head - 2;
    const std::string path = folder_.file("without.gguf");
    write_without_head(GetParam(), path, layer_, head_, c.head_dim);
    without_ = std::make_unique<Conversation>(path, trace::Level::kFull);
    for (Conversation* talk : {&whole_, without_.get()}) {
      talk->session.start(engine::Generate{"Once upon a time there was", 1, tests::kGreedy});
      talk->session.step();  // the prompt: the same tokens for both
      talk->reader.poll();
    }
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

INSTANTIATE_TEST_SUITE_P(Models, WithoutAHead,
                         ::testing::Values(tests::builtin_model_path(), tests::gqa_model_path()),
                         [](const auto& one) { return one.index == 0 ? "BuiltIn" : "Gqa"; });

}  // namespace
