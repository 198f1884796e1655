// What is said of a tap is what a model of its kind does.
#include "model/tap.h"

#include <gtest/gtest.h>

#include "model/format/open.h"
#include "tests/support/data.h"

namespace {

using model::Tap;

std::string formula(const std::string& name, Tap tap, int64_t layer = 0) {
  const auto file = model::open_model(tests::model_path(name).string());
  return model::tap_formula({tap, layer}, model::read_config(file));
}

TEST(TapFormula, IsThatOfTheFamily) {
  REQUIRE_SHARED_DATA();
  EXPECT_EQ("q = rope(W_q n)", formula("llama-gqa", Tap::kQ));
  EXPECT_EQ("q = W_q n + b", formula("gpt2", Tap::kQ)) << "which does not rotate";
  EXPECT_EQ("k = rope(W_k n + b)", formula("qwen2", Tap::kK));
  EXPECT_EQ("q = rope(norm(W_q n))", formula("qwen3", Tap::kQ));
  EXPECT_EQ("x = E[token] + P[position]", formula("gpt2", Tap::kEmbedding));
  EXPECT_EQ("x = sqrt(C) E[token]", formula("gemma", Tap::kEmbedding));
  EXPECT_EQ("act = f(W_up m + b), as W_down reads it", formula("phi2", Tap::kAct))
      << "which has no gate";
  EXPECT_EQ("da = norm(y), y = sum_h o_h", formula("gemma2", Tap::kAttnOut));
  EXPECT_EQ("da = sum_h o_h + b", formula("gptneox", Tap::kAttnOut));
  EXPECT_EQ("df = sum_e G_e FFN_e(m)", formula("mixtral", Tap::kFfnOut));
  EXPECT_EQ("W_gate m; 0 where the expert did not run", formula("mixtral", Tap::kGate));
  EXPECT_EQ("a = softmax(s) within the window, 0 outside", formula("gemma3", Tap::kWeights));
  EXPECT_EQ("a = softmax(s)", formula("llama-gqa", Tap::kWeights));
}

TEST(TapFormula, SaysWhatAFamilyLeavesOutAndScales) {
  EXPECT_EQ("n = x", formula("own/olmo2", Tap::kAttnNorm));
  EXPECT_EQ("m = x", formula("own/olmo2", Tap::kFfnNorm));
  EXPECT_EQ("df = norm(y), y = W_down act", formula("own/olmo2", Tap::kFfnOut));
  EXPECT_EQ("q = rope(W_q n), without rope in every 4th layer", formula("own/smollm3", Tap::kQ));
  EXPECT_EQ("x = 12 E[token]", formula("own/granite", Tap::kEmbedding));
  EXPECT_EQ("da = 0.22 y, y = sum_h o_h", formula("own/granite", Tap::kAttnOut));
  EXPECT_EQ("<g o_h, g y> / |g y|^2, g = 1, y: the sum before its scale",
            formula("own/granite", Tap::kHeadShare));
  EXPECT_EQ("0.5 W_U norm(x)", formula("own/granite", Tap::kLogits));
}

TEST(TapFormula, SaysHowQueriesGrow) {
  EXPECT_EQ("q = rope(W_q n) (1 + 0.3 ln(1 + floor(position / 16)))",
            formula("own/mistral3", Tap::kQ));
  EXPECT_EQ("0: without biases", formula("own/granitemoe", Tap::kFfnBiasShare));
  EXPECT_EQ("0: without biases", formula("own/olmo2", Tap::kAttnBiasShare));
  EXPECT_EQ(
      "G_e act_n <g w_n, g y> / |g y|^2, G_e: its expert's weight, g = 1, y: the sum before its "
      "scale; 0 where the expert did not run",
      formula("own/granitemoe", Tap::kNeuronShare));
}

TEST(TapFormula, SaysWhatLatentAttentionKeepsAndMakesOfIt) {
  EXPECT_EQ("q = W_UK,h^T W_UQ,h norm(W_DQ n) beside rope of the last rows of W_UQ,h",
            formula("own/deepseek2", Tap::kQ));
  EXPECT_EQ("q = W_UK,h^T W_UQ,h n beside rope of the last rows of W_UQ,h",
            formula("own/deepseek2-joined", Tap::kQ));
  EXPECT_EQ("k = c beside rope of the last rows of W_DKV n, c = norm of its first",
            formula("own/deepseek2", Tap::kK));
  EXPECT_EQ("c, the beginning of k; a head's value is W_UV,h c", formula("own/deepseek2", Tap::kV));
  EXPECT_EQ("z = W_UV,h sum_j a_j c_j", formula("own/deepseek2", Tap::kMix));
  EXPECT_EQ("W_UV,h^T W_O,h^T o_h", formula("own/deepseek2", Tap::kHeadBack));
}

TEST(TapFormula, SaysWhatGptOssDoesDifferently) {
  EXPECT_EQ("a_j = e^s_j / (e^sink + sum_i e^s_i) within the window, 0 outside",
            formula("own/gpt-oss", Tap::kWeights));
  EXPECT_EQ("p = softmax(W_router m + b)", formula("own/gpt-oss", Tap::kRouter));
  EXPECT_EQ("p = sigmoid(W_router m), chosen by p + b in the best groups",
            formula("own/bailingmoe2", Tap::kRouter, 1));
  EXPECT_EQ("df = sum_e G_e FFN_e(m)", formula("own/glm4moe", Tap::kFfnOut, 1));
  EXPECT_EQ("df = W_down act", formula("own/glm4moe", Tap::kFfnOut, 0)) << "a dense layer";
  EXPECT_EQ(
      "act = g sigmoid(1.702 g) (u + 1), g = min(gate, 7), u = up within -7..7, as W_down "
      "reads it; 0 where the expert did not run",
      formula("own/gpt-oss", Tap::kAct));
  EXPECT_EQ("sum_e G_e <b_e, df> / |df|^2", formula("own/gpt-oss", Tap::kFfnBiasShare));
}

}  // namespace
