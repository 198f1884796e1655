// Attention in blocks of a few bits, as every real quantised model has it.
#include <gtest/gtest.h>

#include <cmath>

#include "model/kernels/ops.h"
#include "tests/support/capture.h"
#include "tests/support/conversation.h"
#include "tests/support/oracle.h"
#include "tests/support/wide_llama.h"

namespace {

using model::Tap;
using tests::Conversation;
using tests::WideLlama;
using trace::Level;

constexpr const char* kPrompt = "Once upon a time, there was a little girl";

class WideQuantised : public ::testing::TestWithParam<WideLlama> {
 protected:
  std::string path() const { return tests::wide_llama(folder_, GetParam()); }
  tests::TempFolder folder_;
};

TEST_P(WideQuantised, LogitsAreThoseOfTheSameWeightsWidened) {
  WideLlama wide = GetParam();
  wide.widened = true;
  const Conversation blocks(path(), Level::kOff);
  const Conversation floats(tests::wide_llama(folder_, wide), Level::kOff);
  const std::vector<int32_t> ids = floats.model.tokenizer->encode(kPrompt);
  const tests::Passes ours(*blocks.model.network, ids);
  const tests::Passes exact(*floats.model.network, ids);
  for (size_t p = 0; p < ids.size(); ++p) {
    // What rounding activations to 8 bits leaves; of latent attention q and z are rounded once
    // more.
    EXPECT_LE(tests::relative_rms(ours.positions[p].at(Tap::kLogits).data,
                                  exact.positions[p].at(Tap::kLogits).data),
              wide.latent == tests::Latent::kNone ? 2e-2 : 3e-2)
        << p;
  }
}

// |g o_h|^2 comes from factors of W_O, o_h from W_O itself.
TEST_P(WideQuantised, AHeadsEnergyIsThatOfWhatItAdds) {
  const Conversation talk(path(), Level::kOff);
  const std::vector<int32_t> ids = talk.model.tokenizer->encode(kPrompt);
  const tests::Passes passes(*talk.model.network, ids);
  for (const tests::Capture& at : passes.positions) {
    for (int64_t l = 0; l < 2; ++l) {
      const tests::Capture::Values& out = at.at(Tap::kHeadOut, l);
      for (int64_t h = 0; h < out.rows; ++h) {
        const double energy = model::dot(out.row(h), out.row(h), out.cols);
        EXPECT_NEAR(1.0, double{at.at(Tap::kHeadEnergy, l).data[static_cast<size_t>(h)]} / energy,
                    1e-5);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, WideQuantised, ::testing::ValuesIn(tests::wide_llamas()),
                         [](const auto& one) { return one.param.name(); });

}  // namespace
