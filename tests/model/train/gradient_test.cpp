// Every element of every gradient against central differences of an independent reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "model/train/random.h"
#include "model/train/transformer.h"
#include "tests/model/train/reference.h"

namespace model::train {
namespace {

Config tiny(bool tied) {
  Config c;
  c.n_layer = 2;
  c.n_embd = 12;
  c.n_head = 4;
  c.n_head_kv = 2;
  c.head_dim = 4;
  c.rope_dim = 4;
  c.n_ff = 10;
  c.n_vocab = 7;
  c.n_ctx = 100;
  c.rope_base = 100.0F;
  c.tied = tied;
  return c;
}

struct Case {
  Config config;
  Parameters weights{config};
  std::vector<int32_t> tokens, targets;
  Batch batch;

  Case(const Config& c, int64_t sequences, int64_t length) : config(c) {
    for (int64_t i = 0; i < weights.size(); ++i) {
      weights.data()[i] = 0.4F * normal(mix(11, static_cast<uint64_t>(i)));
    }
    Weights list = weights.weights();
    for_each_tensor(list, config, [](Matrix& m, const std::string&, int64_t rows, int64_t) {
      for (int64_t i = 0; rows == 1 && i < m.size(); ++i) m.data[i] += 1.0F;
    });
    for (int64_t i = 0; i < sequences * length; ++i) {
      const auto v = static_cast<uint64_t>(config.n_vocab);
      tokens.push_back(static_cast<int32_t>(mix(5, static_cast<uint64_t>(i)) % v));
      targets.push_back(static_cast<int32_t>(mix(6, static_cast<uint64_t>(i)) % v));
    }
    batch = {.tokens = tokens.data(),
             .targets = targets.data(),
             .sequences = sequences,
             .length = length};
  }
};

double reference_loss(const Reference& reference, const Batch& b) {
  double sum = 0.0;
  for (int64_t s = 0; s < b.sequences; ++s) {
    sum += reference.loss(b.tokens + s * b.length, b.targets + s * b.length, b.length);
  }
  return sum;
}

void compare_all(bool tied, int64_t sequences, int64_t length) {
  const Config config = tiny(tied);
  Case it(config, sequences, length);
  Reference reference(config);
  std::vector<std::vector<double>*> slots;
  for_each_tensor(
      reference.w, config,
      [&](std::vector<double>& t, const std::string&, int64_t, int64_t) { slots.push_back(&t); });
  size_t next = 0;
  Weights list = it.weights.weights();
  for_each_tensor(list, config, [&](Matrix& m, const std::string&, int64_t, int64_t) {
    slots[next++]->assign(m.data, m.data + m.size());
  });

  Transformer workspace(config, sequences * length, length);
  Parameters gradient(config);
  const double loss = workspace.forward(it.weights.weights(), it.batch, {}, 1.0F);
  workspace.backward(it.weights.weights(), gradient.weights());
  EXPECT_NEAR(loss, reference_loss(reference, it.batch), 1e-5 * loss);

  next = 0;
  Weights gradients = gradient.weights();
  for_each_tensor(gradients, config, [&](Matrix& g, const std::string& name, int64_t, int64_t) {
    std::vector<double>& w = *slots[next++];
    double largest = 0.0;
    double worst = 0.0;
    for (size_t i = 0; i < w.size(); ++i) {
      constexpr double kStep = 1e-5;
      const double kept = w[i];
      w[i] = kept + kStep;
      const double high = reference_loss(reference, it.batch);
      w[i] = kept - kStep;
      const double low = reference_loss(reference, it.batch);
      w[i] = kept;
      const double truth = (high - low) / (2.0 * kStep);
      largest = std::max(largest, std::abs(truth));
      worst = std::max(worst, std::abs(truth - static_cast<double>(g.data[i])));
    }
    EXPECT_GT(largest, 1e-3) << name << ": a gradient of nothing tests nothing";
    EXPECT_LT(worst, 1e-4 * largest) << name;
  });
}

TEST(Gradient, TiedGroupedQueries) {
  compare_all(true, 2, 5);
}

TEST(Gradient, UntiedOutput) {
  compare_all(false, 1, 6);
}

// Longer than a block of rows of attention, and no multiple of it.
TEST(Gradient, SeveralAttentionBlocks) {
  compare_all(true, 1, kAttentionBlock + 3);
}

// With a fixed key dropout is a fixed function, whose slope along its gradient is known.
TEST(Gradient, Dropout) {
  const Config config = tiny(true);
  Case it(config, 2, 8);
  Transformer workspace(config, 16, 8);
  Parameters gradient(config);
  const DropoutRate dropout = {.rate = 0.3F, .key = 42, .first_row = 3};
  const double plain = workspace.forward(it.weights.weights(), it.batch, {}, 1.0F);
  const double loss = workspace.forward(it.weights.weights(), it.batch, dropout, 1.0F);
  EXPECT_GT(std::abs(plain - loss), 0.01);
  workspace.backward(it.weights.weights(), gradient.weights());
  double squares = 0.0;
  for (int64_t i = 0; i < gradient.size(); ++i) {
    squares += static_cast<double>(gradient.data()[i]) * static_cast<double>(gradient.data()[i]);
  }
  const double norm = std::sqrt(squares);
  const auto shifted = [&](double by) {
    Parameters moved = it.weights;
    for (int64_t i = 0; i < moved.size(); ++i) {
      moved.data()[i] += static_cast<float>(by * static_cast<double>(gradient.data()[i]) / norm);
    }
    return workspace.forward(moved.weights(), it.batch, dropout, 0.0F);
  };
  constexpr double kStep = 2e-3;
  EXPECT_NEAR((shifted(kStep) - shifted(-kStep)) / (2.0 * kStep), norm, 0.01 * norm);
}

// One position more must not change the logits of those before it.
TEST(Gradient, AttentionIsCausal) {
  const Config config = tiny(true);
  Case it(config, 1, 70);
  Transformer workspace(config, 70, 70);
  const float* logits = workspace.logits(it.weights.weights(), it.tokens.data(), 1, 70);
  const std::vector<float> before(logits, logits + 66 * config.n_vocab);
  for (size_t i = 66; i < 70; ++i) it.tokens[i] = (it.tokens[i] + 1) % 7;
  logits = workspace.logits(it.weights.weights(), it.tokens.data(), 1, 70);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), logits));
}

}  // namespace
}  // namespace model::train
