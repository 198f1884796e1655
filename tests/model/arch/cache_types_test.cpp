// What is kept of keys and values in fewer bits moves the logits by no more than those bits.
#include <gtest/gtest.h>

#include <cstdio>

#include "model/arch/registry.h"
#include "model/format/gguf.h"
#include "tests/support/capture.h"
#include "tests/support/oracle.h"

namespace {

using model::CacheType;

class CacheTypes : public ::testing::TestWithParam<const char*> {};

TEST_P(CacheTypes, LogitsStayNearThoseOfFloats) {
  REQUIRE_SHARED_DATA();
  const std::string name = GetParam();
  const tests::Oracle oracle =
      name.starts_with("shakespeare") ? tests::shared_oracle(name) : tests::synthetic_oracle(name);
  const model::ModelFile file = model::open_gguf(oracle.model.string());
  const auto network = model::make_model(file);
  const std::vector<int32_t> ids = oracle.cases()[1]["ids"];  // the longer text
  ASSERT_GE(ids.size(), 40U);
  const auto logits = [&](CacheType type) {
    std::vector<float> all;
    for (const tests::Capture& at : tests::Passes(*network, ids, type).positions) {
      const std::vector<float>& row = at.at(model::Tap::kLogits).data;
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  };
  const std::vector<float> floats = logits(CacheType::kF32);
  const double f16 = tests::relative_rms(logits(CacheType::kF16), floats);
  std::printf("  %-24s f16 %.2e\n", name.c_str(), f16);
  EXPECT_GT(f16, 0.0) << "it is used";
  EXPECT_LT(f16, 1e-3);
  if (network->config().head_dim % 32 != 0) return;  // its blocks
  const double q8_0 = tests::relative_rms(logits(CacheType::kQ8_0), floats);
  std::printf("  %-24s q8_0 %.2e\n", name.c_str(), q8_0);
  EXPECT_GT(q8_0, f16);
  EXPECT_LT(q8_0, 2e-2);
}

INSTANTIATE_TEST_SUITE_P(Models, CacheTypes,
                         ::testing::Values("llama3-style", "gpt2", "gptneox", "gemma2", "gemma3",
                                           "phi2", "qwen2moe", "shakespeare-llama-f32"),
                         [](const auto& one) {
                           std::string name = one.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
