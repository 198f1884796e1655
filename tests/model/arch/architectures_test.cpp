// Every architecture and every format against an independent float64 pass and llama.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <span>
#include <string>

#include "model/arch/registry.h"
#include "model/format/open.h"
#include "tests/support/capture.h"
#include "tests/support/every_family.h"
#include "tests/support/oracle.h"

namespace {

using tests::Oracle;

struct Runner {
  explicit Runner(const Oracle& oracle, int threads = 1)
      : file(model::open_model(oracle.model.string())), network(model::make_model(file, threads)) {}
  int64_t vocabulary() const { return network->config().n_vocab; }

  // (T, V), the whole text at once.
  std::vector<float> logits(const std::vector<int32_t>& ids) const {
    const auto n = static_cast<int64_t>(ids.size());
    model::KvCache cache(network->config(), n);
    std::vector<float> all(ids.size() * static_cast<size_t>(vocabulary()));
    network->forward(ids, 0, cache, all.data(), n, nullptr);
    return all;
  }

  model::ModelFile file;
  std::unique_ptr<model::Model> network;
};

// What the file's type allows; for quantised files llama.cpp's own distance may be larger.
double allowed(const std::string& name) {
  if (name.find("-f16") != std::string::npos || name == "qwen3") return 1e-3;
  if (name.find("-q") != std::string::npos || name.find("-iq") != std::string::npos) return 2e-2;
  return 1e-5;
}

void expect_logits(const std::string& name, const Oracle& oracle) {
  const Runner runner(oracle);
  size_t cases = 0;
  for (const auto& one : oracle.cases()) {
    ++cases;
    if (!one.contains("logits_ref")) {  // only what llama.cpp makes of it, with its own rounding
      const auto theirs = tests::read_floats(oracle.folder / one["logits"].get<std::string>());
      EXPECT_LE(tests::relative_rms(runner.logits(one["ids"]), theirs), 2e-2) << name;
      continue;
    }
    const auto expected = tests::read_floats(oracle.folder / one["logits_ref"].get<std::string>());
    const auto theirs = tests::read_floats(oracle.folder / one["logits"].get<std::string>());
    const double off = tests::relative_rms(runner.logits(one["ids"]), expected);
    const double llama_cpp = tests::relative_rms(theirs, expected);
    const double bar = allowed(name) > 1e-3 ? std::max(allowed(name), llama_cpp) : allowed(name);
    EXPECT_LE(off, bar) << name << " " << one["name"];
    std::printf("  %-24s %-8s relative rms %.2e, llama.cpp's %.2e\n", name.c_str(),
                one["name"].get<std::string>().c_str(), off, llama_cpp);
  }
  EXPECT_GE(cases, 2U);
}

// Where both would choose otherwise, their logits must be nearly the same.
void expect_greedy(const std::string& name, const Oracle& oracle) {
  const Runner runner(oracle);
  const double error = allowed(name);
  for (const auto& one : oracle.cases()) {
    if (!one.contains("greedy")) continue;
    const std::vector<int32_t> ids = one["ids"];
    const std::vector<int32_t> expected = one["greedy"]["ids"];
    ASSERT_FALSE(expected.empty());
    model::KvCache cache(runner.network->config(),
                         static_cast<int64_t>(ids.size() + expected.size()));
    std::vector<float> logits(static_cast<size_t>(runner.vocabulary()));
    runner.network->forward(ids, 0, cache, logits.data(), 1, nullptr);
    auto position = static_cast<int64_t>(ids.size());
    for (const int32_t wanted : expected) {
      const auto best = std::max_element(logits.begin(), logits.end());
      if (best - logits.begin() != wanted) {
        double size = 0.0;
        for (const float x : logits) size += double{x} * double{x};
        size = std::sqrt(size / static_cast<double>(logits.size()));
        // llama.cpp rounds more than we do: its GELU table, its activations.
        EXPECT_LT(double{*best - logits[static_cast<size_t>(wanted)]},
                  std::max(8.0 * error, 4e-3) * size)
            << name << " " << one["name"] << " at " << position;
        break;  // a tie: from here on they tell another story
      }
      runner.network->forward({&wanted, 1}, position++, cache, logits.data(), 1, nullptr);
    }
  }
}

class Synthetic : public ::testing::TestWithParam<const char*> {};

TEST_P(Synthetic, LogitsAreThoseOfAFloat64Pass) {
  REQUIRE_SHARED_DATA();
  expect_logits(GetParam(), tests::synthetic_oracle(GetParam()));
}

TEST_P(Synthetic, GreedyContinuationsAreLlamaCpps) {
  REQUIRE_SHARED_DATA();
  expect_greedy(GetParam(), tests::synthetic_oracle(GetParam()));
}

// A position's numbers do not depend on what it is batched with, nor on the threads, nor on
// whether anybody looks.
TEST_P(Synthetic, BatchesThreadsAndSinksDoNotChangeOneBit) {
  REQUIRE_SHARED_DATA();
  const Oracle oracle = tests::synthetic_oracle(GetParam());
  const std::vector<int32_t> ids = oracle.cases()[0]["ids"];
  const Runner runner(oracle);
  const std::vector<float> whole = runner.logits(ids);
  const auto row = [&](size_t p) {
    const auto v = static_cast<size_t>(runner.vocabulary());
    return std::span(whole).subspan(p * v, v);
  };
  tests::Passes one_by_one(*runner.network, ids);
  for (size_t p = 0; p < ids.size(); ++p) {
    EXPECT_TRUE(tests::same_bits(one_by_one.positions[p].at(model::Tap::kLogits).data, row(p)))
        << "position " << p;
  }
  for (const int threads : {2, 4}) {
    EXPECT_TRUE(tests::same_bits(Runner(oracle, threads).logits(ids), whole)) << threads;
  }
}

constexpr const char* kSynthetic[] = {
    "llama-gqa", "llama-gqa-f16", "llama-gqa-q8_0", "llama3-style", "mixtral", "qwen2",
    "qwen2moe",  "qwen3",         "qwen3moe",       "olmoe",        "gemma",   "gemma2",
    "gemma3",    "phi2",          "phi3",           "gpt2",         "gptneox"};

INSTANTIATE_TEST_SUITE_P(Models, Synthetic, ::testing::ValuesIn(kSynthetic), tests::TestName());

class Real : public ::testing::TestWithParam<const char*> {};

TEST_P(Real, LogitsAreThoseOfAFloat64Pass) {
  REQUIRE_SHARED_DATA();
  expect_logits(GetParam(), tests::shared_oracle(GetParam()));
}

TEST_P(Real, GreedyContinuationsAreLlamaCpps) {
  REQUIRE_SHARED_DATA();
  expect_greedy(GetParam(), tests::shared_oracle(GetParam()));
}

constexpr const char* kReal[] = {
    "stories260K-f32",          "stories260K-f16",         "stories260K-q8_0",
    "stories260K-q5_1",         "stories260K-q5_0",        "stories260K-q4_1",
    "stories260K-q4_0",         "TinyStories-656K-f32",    "TinyStories-656K-f16",
    "TinyStories-656K-q8_0",    "TinyStories-656K-q5_1",   "TinyStories-656K-q4_0",
    "shakespeare-gpt2-f32",     "shakespeare-gpt2-q8_0",   "shakespeare-gpt2-q6_k",
    "shakespeare-gpt2-q4_k_m",  "shakespeare-llama-f32",   "shakespeare-llama-f16",
    "shakespeare-llama-q8_0",   "shakespeare-llama-q6_k",  "shakespeare-llama-q5_k_m",
    "shakespeare-llama-q4_k_m", "shakespeare-llama-q4_0",  "shakespeare-llama-q3_k_m",
    "shakespeare-llama-q2_k",   "shakespeare-llama-iq4_xs"};

INSTANTIATE_TEST_SUITE_P(Models, Real, ::testing::ValuesIn(kReal), tests::TestName());

// Folders as Hugging Face lays them out, against a float64 pass by its conventions.
class HuggingFace : public ::testing::TestWithParam<const char*> {};

TEST_P(HuggingFace, LogitsAreThoseOfAFloat64Pass) {
  REQUIRE_SHARED_DATA();
  const std::string name = GetParam();
  const Oracle oracle{tests::shared_data("models/hf/" + name),
                      tests::shared_data("oracles/hf/" + name)};
  const Runner runner(oracle, 2);
  size_t cases = 0;
  for (const auto& one : oracle.cases()) {
    const auto expected = tests::read_floats(oracle.folder / one["logits"].get<std::string>());
    const double off = tests::relative_rms(runner.logits(one["ids"]), expected);
    EXPECT_LE(off, name.find("bf16") != std::string::npos ? 1e-3 : 1e-5) << name;
    std::printf("  %-24s relative rms %.2e\n", name.c_str(), off);
    ++cases;
  }
  EXPECT_GE(cases, 2U);
}

constexpr const char* kFolders[] = {"llama-gqa",  "gpt2",   "qwen2",
                                    "qwen3-bf16", "gemma3", "qwen3moe-sharded"};

INSTANTIATE_TEST_SUITE_P(Models, HuggingFace, ::testing::ValuesIn(kFolders), tests::TestName());

// Families of tests/data: log-probabilities as llama.cpp computed them, its cache in float32.
class Own : public ::testing::TestWithParam<const char*> {};

TEST_P(Own, LogProbabilitiesAreLlamaCpps) {
  const Oracle oracle = tests::own_oracle(GetParam());
  const Runner runner(oracle, 2);
  const auto v = static_cast<size_t>(runner.vocabulary());
  for (const auto& one : oracle.cases()) {
    const auto expected = tests::read_floats(oracle.folder / one["logprobs"].get<std::string>());
    std::vector<float> got = runner.logits(one["ids"]);
    ASSERT_EQ(expected.size(), got.size());
    for (size_t row = 0; row < got.size(); row += v) {
      double sum = 0.0;
      for (size_t t = row; t < row + v; ++t) sum += std::exp(double{got[t]});
      for (size_t t = row; t < row + v; ++t)
        got[t] = static_cast<float>(double{got[t]} - std::log(sum));
    }
    const bool has_gelu = runner.network->config().ffn == model::FfnKind::kGelu;  // its table
    const bool rounds = std::string_view(GetParam()).ends_with("mxfp4");          // as we do
    EXPECT_LE(tests::relative_rms(got, expected), rounds ? 4e-3 : has_gelu ? 5e-4 : 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Own,
                         ::testing::Values("olmo2", "olmo3", "smollm3", "granite", "glm4",
                                           "starcoder2", "ernie4_5", "qwen2vl", "qwen3vl",
                                           "glm4-mrope", "gpt-oss", "gpt-oss-mxfp4", "mistral3",
                                           "exaone4", "exaone4-64", "granitemoe", "minicpm",
                                           "command-r", "cohere2", "stablelm", "hunyuan-dense",
                                           "internlm2", "seed_oss", "deepseek", "dots1", "glm4moe",
                                           "ernie4_5-moe", "bailingmoe", "bailingmoe2",
                                           "granitemoe-shared", "deepseek2", "deepseek2-joined"),
                         tests::TestName());

// What the data has, these tests run; also what is added to it. The oracle of nano-gpt-sort is of
// another kind (published_test.cpp), and two folders of Hugging Face hold models of `real` again.
TEST(Architectures, EveryModelOfTheDataIsTried) {
  REQUIRE_SHARED_DATA();
  const auto expect_all = [](const char* kind, std::span<const char* const> tried,
                             std::set<std::string> others) {
    others.insert(tried.begin(), tried.end());
    for (const auto& entry :
         std::filesystem::directory_iterator(tests::shared_data("models") / kind)) {
      EXPECT_TRUE(others.contains(entry.path().stem().string())) << entry.path();
    }
  };
  expect_all("synth", kSynthetic, {});
  expect_all("real", kReal, {"nano-gpt-sort-f32", "TinyStories-656K-hf", "stories260K-hf"});
  expect_all("hf", kFolders, {});
}

}  // namespace
