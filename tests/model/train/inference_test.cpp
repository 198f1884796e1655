// What the trainer computes for whole sequences, the inference core computes one token at a time.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "model/arch/registry.h"
#include "model/train/checkpoint.h"
#include "model/train/corpus.h"
#include "model/train/random.h"
#include "model/train/transformer.h"

namespace model::train {
namespace {

void compare(bool tied) {
  Config c;
  c.n_layer = 3;
  c.n_embd = 48;
  c.n_head = 6;
  c.n_head_kv = 2;
  c.head_dim = 8;
  c.rope_dim = 8;
  c.n_ff = 56;
  c.n_vocab = kByteVocabulary;
  c.n_ctx = 80;
  c.tied = tied;
  Parameters p(c);
  p.initialise(9);
  for (int64_t i = 0; i < p.size(); ++i) {
    p.data()[i] += 0.15F * normal(mix(21, static_cast<uint64_t>(i)));
  }
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("fulgurite-inference-" + std::to_string(::getpid()) + ".gguf"))
                               .string();
  save_gguf(p.weights(), c, path, DType::kF32);
  const ModelFile file = open_gguf(path);
  const auto network = make_model(file);

  constexpr int64_t kLength = 75;
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < kLength; ++i) {
    tokens.push_back(static_cast<int32_t>(mix(4, static_cast<uint64_t>(i)) % 256));
  }
  Transformer workspace(c, kLength, kLength);
  const float* expected = workspace.logits(p.weights(), tokens.data(), 1, kLength);
  KvCache cache(c, kLength);
  std::vector<float> logits(static_cast<size_t>(c.n_vocab));
  float largest = 0.0F;
  float worst = 0.0F;
  for (int64_t t = 0; t < kLength; ++t) {
    network->forward({&tokens[static_cast<size_t>(t)], 1}, t, cache, logits.data(), 1, nullptr);
    for (int64_t i = 0; i < c.n_vocab; ++i) {
      const float truth = expected[t * c.n_vocab + i];
      largest = std::max(largest, std::abs(truth));
      worst = std::max(worst, std::abs(truth - logits[static_cast<size_t>(i)]));
    }
  }
  EXPECT_GT(largest, 1.0F);
  EXPECT_LT(worst, 2e-5F * largest);
  std::filesystem::remove(path);
}

TEST(Inference, TiedModelAgreesWithTheTrainer) {
  compare(true);
}
TEST(Inference, UntiedModelAgreesWithTheTrainer) {
  compare(false);
}

}  // namespace
}  // namespace model::train
