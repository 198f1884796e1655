#include "model/train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "model/error.h"

namespace model::train {
namespace {

Config small() {
  Config c;
  c.n_layer = 2;
  c.n_embd = 32;
  c.n_head = 4;
  c.n_head_kv = 2;
  c.n_ff = 40;
  c.n_vocab = 256;
  c.n_ctx = 32;
  return c;
}

Settings quick() {
  Settings s;
  s.steps = 60;
  s.warmup = 5;
  s.batch = 6;
  s.length = 32;
  s.full_every = 3;
  s.lr = 1e-2F;
  s.dropout = 0.1F;
  s.muon = true;
  s.threads = 2;
  return s;
}

std::vector<int32_t> text() {
  std::vector<int32_t> tokens;
  const std::string line = "the quick brown fox jumps over the lazy dog. ";
  for (int i = 0; i < 50; ++i) {
    for (const char c : line + std::to_string(i % 10)) tokens.push_back(c);
  }
  return tokens;
}

std::vector<float> values(const Parameters& p) {
  return {p.data(), p.data() + p.size()};
}

Trainer make(Settings settings, const std::vector<int32_t>& tokens) {
  Config config = small();
  check_settings(config, settings, uint64_t{1} << 30U);
  return Trainer(config, settings, tokens);
}

TEST(Trainer, SameSeedAndThreadsSameWeights) {
  const std::vector<int32_t> tokens = text();
  for (const int threads : {1, 2, 3}) {
    Settings s = quick();
    s.threads = threads;
    Trainer a = make(s, tokens);
    Trainer b = make(s, tokens);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(a.step().loss, b.step().loss);
    EXPECT_EQ(values(a.state().weights), values(b.state().weights));
  }
}

TEST(Trainer, AnotherSeedOtherWeights) {
  const std::vector<int32_t> tokens = text();
  Settings s = quick();
  Trainer a = make(s, tokens);
  s.seed = 2;
  Trainer b = make(s, tokens);
  EXPECT_NE(values(a.state().weights), values(b.state().weights));
}

// Threads change the order of sums, nothing else.
TEST(Trainer, ThreadsAgree) {
  const std::vector<int32_t> tokens = text();
  Settings s = quick();
  s.threads = 1;
  Trainer a = make(s, tokens);
  s.threads = 3;
  Trainer b = make(s, tokens);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(a.step().loss, b.step().loss, 1e-4);
}

void expect_learns(const Settings& settings) {
  const std::vector<int32_t> tokens = text();
  Trainer trainer = make(settings, tokens);
  const double before = trainer.evaluate(tokens, 32).loss;
  EXPECT_NEAR(before, std::log(256.0), 0.2);
  for (int64_t i = 0; i < settings.steps; ++i) trainer.step();
  EXPECT_LT(trainer.evaluate(tokens, 32).loss, 1.5);
}

TEST(Trainer, LossFallsWithMuon) {
  expect_learns(quick());
}

TEST(Trainer, LossFallsWithAdamW) {
  Settings s = quick();
  s.muon = false;
  s.steps = 120;
  expect_learns(s);
}

TEST(Trainer, StateGoesOnBitForBit) {
  const std::vector<int32_t> tokens = text();
  Trainer whole = make(quick(), tokens);
  for (int i = 0; i < 20; ++i) whole.step();
  Trainer first = make(quick(), tokens);
  for (int i = 0; i < 10; ++i) first.step();
  Trainer second = make(quick(), tokens);
  second.set_state(first.state());
  for (int i = 0; i < 10; ++i) second.step();
  EXPECT_EQ(second.state().step, 20);
  EXPECT_EQ(values(whole.state().weights), values(second.state().weights));
}

TEST(Trainer, EvaluationDoesNotDependOnThreadsAndLeavesOutTheRest) {
  const std::vector<int32_t> tokens = text();
  Settings s = quick();
  s.threads = 1;
  Trainer one = make(s, tokens);
  s.threads = 3;
  Trainer three = make(s, tokens);
  const Evaluation a = one.evaluate(tokens, 20);
  EXPECT_EQ(a.loss, three.evaluate(tokens, 20).loss);
  EXPECT_EQ(a.tokens, (static_cast<int64_t>(tokens.size()) - 1) / 20 * 20);
  EXPECT_EQ(one.evaluate(std::span(tokens).first(20), 20).tokens, 0);
  EXPECT_EQ(one.evaluate(std::span(tokens).first(21), 20).tokens, 20);
}

// After one step decay has taken lr * decay * w from every matrix and nothing from the norms.
TEST(Trainer, OnlyMatricesDecay) {
  const std::vector<int32_t> tokens = text();
  for (const bool muon : {false, true}) {
    Settings s = quick();
    s.warmup = 0;
    s.muon = muon;
    s.weight_decay = 0.0F;
    Trainer plain = make(s, tokens);
    s.weight_decay = 5.0F;
    Trainer decayed = make(s, tokens);
    const std::vector<float> start = values(plain.state().weights);
    plain.step();
    decayed.step();
    Parameters list = plain.state().weights;
    Weights weights = list.weights();
    for_each_tensor(weights, list.config(),
                    [&](const Matrix& m, const std::string& name, int64_t rows, int64_t) {
                      const auto at = m.data - list.data();
                      const float taken = rows > 1 ? s.lr * 5.0F : 0.0F;
                      for (int64_t i = at; i < at + m.size(); ++i) {
                        ASSERT_NEAR(decayed.state().weights.data()[i],
                                    list.data()[i] - taken * start[static_cast<size_t>(i)], 1e-6F)
                            << name;
                      }
                    });
  }
}

TEST(LearningRate, WarmsUpAndFallsAlongACosine) {
  Settings s;
  s.steps = 1100;
  s.warmup = 100;
  s.lr = 1e-3F;
  s.min_lr = 1e-4F;
  EXPECT_FLOAT_EQ(learning_rate(s, 0), 1e-5F);
  EXPECT_FLOAT_EQ(learning_rate(s, 99), 1e-3F);
  EXPECT_FLOAT_EQ(learning_rate(s, 600), 5.5e-4F);
  EXPECT_FLOAT_EQ(learning_rate(s, 1100), 1e-4F);
  EXPECT_FLOAT_EQ(learning_rate(s, 9999), 1e-4F);
}

TEST(CheckSettings, RefusesShapesThatMakeNoSense) {
  const auto refused = [](auto&& change, const std::string& flag) {
    Config c = small();
    Settings s = quick();
    change(c, s);
    try {
      check_settings(c, s, uint64_t{1} << 30U);
      ADD_FAILURE() << flag << " was accepted";
    } catch (const fulgurite::Error& e) {
      EXPECT_EQ(e.code(), fulgurite::ExitCode::kUsage);
      EXPECT_NE(std::string(e.what()).find(flag), std::string::npos) << e.what();
    }
  };
  refused(
      [](Config& c, Settings&) {
        c.n_head = 5;
        c.n_head_kv = 1;
      },
      "--heads");
  refused(
      [](Config& c, Settings&) {
        c.n_head = 32;
        c.n_head_kv = 1;
      },
      "--heads");  // odd width
  refused([](Config& c, Settings&) { c.n_head_kv = 3; }, "--kv-heads");
  refused([](Config& c, Settings&) { c.n_layer = 0; }, "--layers");
  refused([](Config& c, Settings&) { c.n_embd = -8; }, "--dim");
  refused([](Config&, Settings& s) { s.length = 64; }, "--ctx");
  refused([](Config&, Settings& s) { s.batch = 0; }, "--batch");
  refused([](Config&, Settings& s) { s.lr = std::nanf(""); }, "--lr");
  refused([](Config&, Settings& s) { s.dropout = 1.0F; }, "--dropout");
  refused([](Config&, Settings& s) { s.threads = 0; }, "--threads");
  refused(
      [](Config& c, Settings&) {
        c.n_embd = 65536;
        c.n_layer = 1000;
      },
      "MB");
}

}  // namespace
}  // namespace model::train
