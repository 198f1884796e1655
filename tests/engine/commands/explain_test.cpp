// What `fulgurite lens` and `fulgurite attribution` print.
#include "engine/commands/explain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "engine/softmax.h"
#include "model/error.h"
#include "tests/support/conversation.h"
#include "tests/support/oracle.h"

namespace {

using engine::commands::ExplainOptions;
using nlohmann::json;

ExplainOptions about(const std::string& text) {
  ExplainOptions options;
  options.model = engine::ModelSource{tests::gqa_model_path(), {}};
  options.input.text = text;
  options.top = 4;
  options.json = true;
  return options;
}

json lens(const ExplainOptions& options) {
  std::ostringstream out;
  EXPECT_EQ(0, engine::commands::lens(options, out));
  return json::parse(out.str());
}

json attribution(const ExplainOptions& options) {
  std::ostringstream out;
  EXPECT_EQ(0, engine::commands::attribution(options, out));
  return json::parse(out.str());
}

// What another implementation says of the same ids.
TEST(Explain, TheLastLayerOfTheLensIsTheOraclesAnswer) {
  const tests::Oracle oracle = tests::own_oracle("llama-gqa");
  for (const json& one : oracle.cases()) {
    ExplainOptions options = about("");
    const auto ids = one["ids"].get<std::vector<int64_t>>();
    options.input.ids = ids;
    const std::vector<float> expected =
        tests::read_floats(oracle.folder / one["logits_ref"].get<std::string>());
    const size_t n_vocab = expected.size() / ids.size();
    for (const size_t position : {size_t{0}, ids.size() / 2, ids.size() - 1}) {
      options.position = static_cast<int64_t>(position);
      const json answer = lens(options);
      const auto row = std::span(expected).subspan(position * n_vocab, n_vocab);
      const engine::Softmax softmax = engine::softmax_of(row, 1.0F);
      const auto token = answer["token"]["id"].get<size_t>();
      const double probability = std::exp(double{row[token]} - double{softmax.max}) / softmax.sum;
      EXPECT_NEAR(probability, answer["layers"].back()["probability"].get<double>(), 1e-4);
      if (position + 1 < ids.size()) {
        EXPECT_EQ(ids[position + 1], static_cast<int64_t>(token)) << "the one that follows";
      }
    }
  }
}

TEST(Explain, TheTermsThatAreToldAddUpToTheLogit) {
  REQUIRE_SHARED_DATA();
  const std::string biased = tests::shared_data("models/synth/gpt2.gguf").string();
  for (const std::string& path : {tests::gqa_model_path(), biased}) {
    for (const std::string& against : {std::string(), std::string("#7")}) {
      ExplainOptions options = about("Once upon a time");
      options.model.path = path;
      options.against = against;
      options.token = "#5";
      const json answer = attribution(options);
      double sum = answer["rounding"].get<double>();
      for (const json& term : answer["terms"]) sum += term["term"].get<double>();
      EXPECT_NEAR(answer["logit"].get<double>(), sum, 1e-4) << path;
      EXPECT_NEAR(0.0, answer["rounding"].get<double>(), 1e-4) << path;
      EXPECT_EQ(4U, answer["neurons"].size());
      EXPECT_EQ(against.empty(), !answer.contains("against"));
    }
  }
}

// The first layer of these is no mixture.
TEST(Explain, TheTermsOfALargeMixtureAddUpToTheLogitToo) {
  ExplainOptions options = about("");
  options.model.path = tests::model_path("own/glm4moe").string();
  options.input.ids = {1, 2, 3};
  options.token = "#5";
  const json answer = attribution(options);
  double sum = answer["rounding"].get<double>();
  bool dense = false;
  for (const json& term : answer["terms"]) {
    sum += term["term"].get<double>();
    dense = dense || term["part"] == "L0.M";
  }
  EXPECT_TRUE(dense);
  EXPECT_NEAR(answer["logit"].get<double>(), sum, 1e-4);
}

TEST(Explain, WhatIsMutedAddsNothing) {
  ExplainOptions options = about("Once upon a time");
  options.input.muted = {{trace::MutedKind::kHead, 1, 0}};
  size_t seen = 0;
  const json answer = attribution(options);
  for (const json& term : answer["terms"]) {
    if (term["part"] == "L1.H0" || term["part"] == "L1.H1") {
      EXPECT_EQ(term["part"] == "L1.H0", term["term"].get<double>() == 0.0);
      ++seen;
    }
  }
  EXPECT_EQ(2U, seen);
}

TEST(Explain, ATokenIsNamedByItsTextOrItsId) {
  const engine::LoadedModel model(engine::ModelSource{tests::gqa_model_path(), {}});
  ExplainOptions options = about("Once upon a time");
  options.token = "#5";
  EXPECT_EQ(5, lens(options)["token"]["id"].get<int>());
  for (int32_t id = 0; id < model.tokenizer->vocab_size(); id += 17) {
    options.token = std::string(model.tokenizer->label(id));
    if (options.token.empty() || options.token[0] == '#') continue;
    EXPECT_EQ(options.token, model.tokenizer->label(lens(options)["token"]["id"].get<int32_t>()));
  }
}

// A vocabulary with byte fallback has "a" twice: the byte that is no other token's, and the letter.
TEST(Explain, ALetterIsTheTokenOfTextNotTheByte) {
  REQUIRE_SHARED_DATA();
  ExplainOptions options = about("Once upon a time, there was a c");
  options.model.path = tests::shared_data("models/real/stories260K-f32.gguf").string();
  const engine::LoadedModel model(options.model);
  for (const std::string text : {"a", "t", "e"}) {
    options.token = text;
    const auto id = lens(options)["token"]["id"].get<int32_t>();
    EXPECT_EQ(text, model.tokenizer->label(id));
    EXPECT_FALSE(model.tokenizer->is_byte(id));
    const std::vector<int32_t> within = model.tokenizer->encode("x" + text + text + "x");
    EXPECT_NE(within.end(), std::find(within.begin(), within.end(), id)) << text;
  }
  EXPECT_TRUE(model.tokenizer->is_byte(100));  // <0x61>
}

TEST(Explain, WhatCannotBeAskedIsAUsageError) {
  const auto refused = [](const ExplainOptions& options) {
    std::ostringstream out;
    for (const auto command : {engine::commands::lens, engine::commands::attribution}) {
      try {
        command(options, out);
        ADD_FAILURE() << "it was answered";
      } catch (const fulgurite::Error& error) {
        EXPECT_EQ(fulgurite::ExitCode::kUsage, error.code()) << error.what();
      }
    }
    EXPECT_EQ("", out.str());
  };
  ExplainOptions options = about("Once upon a time");
  options.position = 10'000;
  refused(options);
  options = about("Once upon a time");
  options.token = "no such token, but many";
  refused(options);
  options.token = "#100000000";
  refused(options);
  options.token = options.against = "#5";
  refused(options);
  options = about("Once upon a time");
  options.input.muted = {{trace::MutedKind::kHead, 99, 0}};
  refused(options);
}

TEST(Explain, TablesNameTheSameNumbers) {
  ExplainOptions options = about("Once upon a time");
  const json of_lens = lens(options);
  const json of_logit = attribution(options);
  options.json = false;
  std::ostringstream out;
  engine::commands::lens(options, out);
  for (const json& row : of_lens["layers"]) {
    char number[32];
    std::snprintf(number, sizeof number, "%.2f %%", 100.0 * row["probability"].get<double>());
    EXPECT_CONTAINS(out.str(), number);
  }
  out.str("");
  engine::commands::attribution(options, out);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_CONTAINS(out.str(), of_logit["terms"][i]["part"].get<std::string>());
    EXPECT_CONTAINS(out.str(), of_logit["neurons"][i]["part"].get<std::string>());
  }
  EXPECT_CONTAINS(out.str(), "all the rest");
}

}  // namespace
