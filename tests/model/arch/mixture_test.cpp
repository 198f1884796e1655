// Mixtures as files have them: stacked in one tensor or one tensor an expert, in blocks or not.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "model/arch/registry.h"
#include "model/dequantize.h"
#include "model/format/gguf.h"
#include "model/quantize.h"
#include "tests/support/capture.h"
#include "tests/support/data.h"
#include "tests/support/oracle.h"

namespace {

using model::DType;
using model::Tap;
using tests::Capture;

// One of our models, its experts stored as said.
class Stored {
 public:
  // type(e): of expert e's matrices.
  template <class Type>
  Stored(const std::string& name, bool stacked, const Type& type) {
    const model::ModelFile file = model::open_gguf(tests::synthetic_oracle(name).model.string());
    model::GgufWriter writer;
    for (const auto& [key, value] : file.metadata()) writer.add(key, value);
    for (const model::Tensor& t : file.tensors()) {
      const size_t at = t.name.find("_exps.weight");
      if (at == std::string::npos) {
        writer.add_tensor(t);
        continue;
      }
      const auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(t.elements()));
      for (int64_t r = 0; r < t.rows(); ++r) {
        model::dequantize_row(t, r, values->data() + r * t.cols());
      }
      if (stacked) {
        writer.add_tensor(t.name, t.ne, type(0),
                          [=, cols = t.cols()](int64_t first, int64_t n, std::byte* out) {
                            for (int64_t r = first; r < first + n; ++r) {
                              model::quantize_row(type(0), values->data() + r * cols, cols, out);
                              out += model::dtype_row_bytes(type(0), cols);
                            }
                          });
        continue;
      }
      for (int64_t e = 0; e < t.ne[2]; ++e) {
        writer.add_tensor(t.name.substr(0, at) + "." + std::to_string(e) + ".weight", t.ne[1],
                          t.ne[0], type(e), values->data() + e * t.ne[1] * t.ne[0]);
      }
    }
    writer.write(folder_.file("mixture.gguf"));
    file_ = std::make_unique<model::ModelFile>(model::open_gguf(folder_.file("mixture.gguf")));
    network = model::make_model(*file_, 2);
    for (int32_t i = 0; i < 20; ++i) {
      ids.push_back((i * 37 + 11) % static_cast<int32_t>(network->config().n_vocab));
    }
  }

  std::unique_ptr<model::Model> network;
  std::vector<int32_t> ids;

 private:
  tests::TempFolder folder_;
  std::unique_ptr<model::ModelFile> file_;
};

// What a batch gives for its last position, and what that gives alone.
void expect_same_in_a_batch(const Stored& model) {
  const tests::Passes alone(*model.network, model.ids);
  const model::Config& c = model.network->config();
  model::KvCache cache(c, std::ssize(model.ids));
  std::vector<float> logits(static_cast<size_t>(c.n_vocab));
  Capture last;
  model.network->forward(model.ids, 0, cache, logits.data(), 1, &last);
  EXPECT_TRUE(tests::same_bits(logits, alone.logits));
  for (int64_t l = 0; l < c.n_layer; ++l) {
    const Capture& one = alone.positions.back();
    EXPECT_TRUE(tests::same_bits(last.at(Tap::kAct, l).data, one.at(Tap::kAct, l).data));
    EXPECT_TRUE(tests::same_bits(last.at(Tap::kFfnOut, l).data, one.at(Tap::kFfnOut, l).data));
    const auto& neurons = one.at(Tap::kNeuronShare, l).data;
    const auto& cells = one.at(Tap::kCellShare, l).data;
    const auto& top = one.at(Tap::kChosenShare, l);
    for (size_t b = 0; b < cells.size(); ++b) {
      double sum = 0.0;
      for (size_t n = 32 * b; n < 32 * (b + 1); ++n) sum += double{neurons[n]};
      EXPECT_NEAR(sum, cells[b], 2e-5);
      EXPECT_NEAR(cells[b], last.at(Tap::kCellShare, l).data[b], 2e-5);
    }
    for (int64_t k = 0; k < top.rows; ++k) {
      EXPECT_EQ(top.row(k)[0], last.at(Tap::kChosenShare, l).row(k)[0]);
      EXPECT_NEAR(top.row(k)[1], last.at(Tap::kChosenShare, l).row(k)[1], 2e-5);
      EXPECT_NEAR(top.row(k)[1], neurons[static_cast<size_t>(top.row(k)[0])], 2e-5);
    }
  }
}

TEST(StoredMixture, StackedExpertsOfEveryTypeAreTheSameInABatch) {
  REQUIRE_SHARED_DATA();
  for (const char* name : {"mixtral", "olmoe", "qwen2moe", "qwen3moe"}) {
    for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0}) {
      SCOPED_TRACE(name + model::dtype_name(static_cast<uint32_t>(type)));
      expect_same_in_a_batch(Stored(name, true, [=](int64_t) { return type; }));
    }
  }
}

TEST(StoredMixture, ExpertsOfDifferentTypesAreReadEachInItsOwn) {
  REQUIRE_SHARED_DATA();
  constexpr std::array types = {DType::kF32, DType::kQ8_0, DType::kQ4_0};
  expect_same_in_a_batch(
      Stored("mixtral", false, [=](int64_t e) { return types[static_cast<size_t>(e % 3)]; }));
}

}  // namespace
