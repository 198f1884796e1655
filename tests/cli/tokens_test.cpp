// The commands that read tokens and write numbers: logits, tap, taps, run --json, eval, bench.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.h"
#include "tests/support/npy_file.h"
#include "tests/support/peak.h"

namespace cli {
namespace {

using nlohmann::json;

class Numbers : public InFolder {};

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

TEST_F(Numbers, RunTellsTheLogarithmOfEveryProbability) {
  const std::vector<std::string> words = {"run", "-p", "ROMEO:", "-n", "20", "--seed", "3"};
  const Outcome text = fulgurite(words);
  std::vector<std::string> with_json = words;
  with_json.insert(with_json.end(), {"--logprobs", "256"});
  const Outcome told = fulgurite(with_json);
  ASSERT_EQ(told.exit_code, 0) << told.err;
  std::string joined = "ROMEO:";
  const std::vector<json> lines = lines_of(told.out);
  ASSERT_EQ(lines.size(), 20u);
  for (const json& line : lines) {
    for (const int byte : line["bytes"]) joined += static_cast<char>(byte);
    ASSERT_EQ(line["top"].size(), 256u);
    double sum = 0.0;
    double last = 0.0;
    bool found = false;
    for (const json& one : line["top"]) {
      const double logprob = one["logprob"];
      EXPECT_LE(logprob, last) << "best first";
      last = logprob;
      sum += std::exp(logprob);
      if (one["id"] != line["id"]) continue;
      found = true;
      EXPECT_EQ(one["logprob"], line["logprob"]);
    }
    EXPECT_TRUE(found);
    EXPECT_NEAR(sum, 1.0, 1e-5) << "over the whole vocabulary";
  }
  EXPECT_EQ(joined + "\n", text.out);
}

TEST_F(Numbers, RunSaysThatTheContextIsFull) {
  const Outcome full = fulgurite({"run", "-p", "ROMEO:", "-n", "0", "-c", "20"});
  EXPECT_EQ(full.exit_code, 0);
  EXPECT_NE(full.err.find("context of 20"), std::string::npos) << full.err;
  const Outcome enough = fulgurite({"run", "-p", "ROMEO:", "-n", "3", "-c", "20"});
  EXPECT_EQ(enough.err.find("context"), std::string::npos) << enough.err;
  expect_refusal(fulgurite({"run", "-p", "A", "-c", "100000"}), 2, "100000");
}

TEST_F(Numbers, SamplingFlagsReachTheSampler) {
  const std::string greedy = fulgurite({"run", "-n", "30", "--temp", "0"}).out;
  EXPECT_EQ(fulgurite({"run", "-n", "30", "--min-p", "1"}).out, greedy) << "only the best is left";
  EXPECT_EQ(fulgurite({"run", "-n", "30", "--top-k", "1"}).out, greedy);
  EXPECT_NE(fulgurite({"run", "-n", "30", "--temp", "0", "--repeat-penalty", "3"}).out, greedy);
  EXPECT_NE(fulgurite({"run", "-n", "30", "--temp", "0", "--presence-penalty", "5"}).out, greedy);
  EXPECT_NE(fulgurite({"run", "-n", "30", "--temp", "0", "--frequency-penalty", "5"}).out, greedy);
  for (const char* flag : {"--min-p", "--repeat-penalty", "--frequency-penalty"}) {
    expect_refusal(fulgurite({"run", "-n", "1", flag, "nan"}), 2, flag);
  }
}

TEST_F(Numbers, ADashIsStdout) {
  const Outcome piped = fulgurite({"logits", "--tokens", "1,2", "--out", "-"});
  ASSERT_EQ(piped.exit_code, 0) << piped.err;
  const std::string out = in_folder("x.npy");
  ASSERT_EQ(fulgurite({"logits", "--tokens", "1,2", "--out", out}).exit_code, 0);
  EXPECT_EQ(read_file(out), piped.out);
}

// The same position by both commands, and by `logits` of a float32 file.
TEST_F(Numbers, LensAndAttributionSayWhatLogitsSays) {
  REQUIRE_SHARED_DATA();
  const std::string model = tests::shared_data("models/real/stories260K-f32.gguf");
  const std::string text = "Once upon a time, there was a little";
  ASSERT_EQ(0, fulgurite({"logits", "-m", model, "-p", text, "-o", in_folder("l.npy")}).exit_code);
  const auto logits = tests::read_npy(in_folder("l.npy"));
  constexpr size_t vocabulary = 512;
  const size_t positions = logits.values.size() / vocabulary;
  for (const size_t position : {size_t{2}, positions - 1}) {
    const auto ask = [&](const char* command) {
      const Outcome outcome = fulgurite(
          {command, "-m", model, "-p", text, "--position", std::to_string(position), "--json"});
      EXPECT_EQ(0, outcome.exit_code) << outcome.err;
      return json::parse(outcome.out);
    };
    const json lens = ask("lens");
    const json attribution = ask("attribution");
    EXPECT_EQ(lens["token"], attribution["token"]);
    const float* row = logits.values.data() + position * vocabulary;
    const json& last = lens["layers"].back()["top"];
    for (const json& one : last) EXPECT_EQ(row[one["id"].get<size_t>()], one["logit"].get<float>());
    EXPECT_EQ(std::max_element(row, row + vocabulary) - row, last[0]["id"].get<int64_t>());
    EXPECT_EQ(row[attribution["token"]["id"].get<size_t>()], attribution["logit"].get<float>());
  }
}

TEST_F(Numbers, WrongUseIsSaidAndNothingWritten) {
  const std::string out = in_folder("x.npy");
  const std::string text = in_folder("text.txt");
  write(text, "Some text.");
  expect_refusal(fulgurite({"logits", "--out", out}), 2, "--tokens");
  expect_refusal(fulgurite({"logits", "--tokens", "1,x", "--out", out}), 2, "--tokens");
  expect_refusal(fulgurite({"logits", "--tokens", "1,256", "--out", out}), 2, "256");
  expect_refusal(fulgurite({"logits", "--tokens", "1", "-p", "A", "--out", out}), 2, "--tokens");
  expect_refusal(fulgurite({"logits", "--tokens", "1"}), 2, "--out");
  expect_refusal(fulgurite({"logits", "-f", text, "--out", text}), 2, text);
  expect_refusal(fulgurite({"tap", "-p", "A", "--out", out}), 2, "--name");
  expect_refusal(fulgurite({"tap", "-p", "A", "--name", "blk.9.attn.q", "--out", out}), 2,
                 "blk.9.attn.q");
  expect_refusal(fulgurite({"logits", "-p", "A", "--out", in_folder("none/x.npy")}), 1, "none");
  for (const char* command : {"lens", "attribution"}) {
    expect_refusal(fulgurite({command}), 2, "--tokens");
    expect_refusal(fulgurite({command, "-p", "A", "--position", "1"}), 2, "--position");
    expect_refusal(fulgurite({command, "-p", "A", "--token", "many"}), 2, "'m' (#109), 'a' (#97)");
    expect_refusal(fulgurite({command, "-p", "A", "--token", "\x1B[31m"}), 2, "--token");
    expect_refusal(fulgurite({command, "-p", "A", "--top", "0"}), 2, "--top");
    expect_refusal(fulgurite({command, "-p", "A", "--mute", "L9.A"}), 2, "L9.A");
  }
  expect_refusal(fulgurite({"attribution", "-p", "A", "--token", "B", "--against", "#66"}), 2,
                 "both are \"B\"");
  EXPECT_FALSE(fs::exists(out));
  EXPECT_EQ(read_file(text), "Some text.");
}

// llama-perplexity's own figures for the same text: see the data's README.
TEST_F(Numbers, EvalMeasuresAsLlamaPerplexityDoes) {
  REQUIRE_SHARED_DATA();
  const std::string text = tests::shared_data("text/shakespeare-val-60k.txt");
  const auto perplexity = [&](const std::string& name) {
    const Outcome outcome =
        fulgurite({"eval", "-m", tests::shared_data("models/real/" + name + ".gguf"), "-f", text,
                   "-c", "256", "--chunks", "60", "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json result = json::parse(outcome.out);
    EXPECT_EQ(result["tokens"], 60 * 127);
    return result;
  };
  const json llama = perplexity("shakespeare-llama-f32");
  EXPECT_NEAR(llama["perplexity"].get<double>(), 43.0760, 5e-4);
  EXPECT_NEAR(llama["error"].get<double>(), 1.07352, 5e-4);
  const json spm = perplexity("stories260K-f32");  // with BOS at the head of every chunk
  EXPECT_NEAR(spm["perplexity"].get<double>(), 132.1657, 0.03);
}

TEST_F(Numbers, AModelAtWorkHoldsItsFileAndLittleElse) {
  REQUIRE_SHARED_DATA();
  if (tests::kSanitized) GTEST_SKIP() << "shadow memory is no measure of ours";
  const auto model = tests::shared_data("models/real/shakespeare-llama-f32.gguf");
  constexpr double kMost = 150e6;  // the cache of 160 tokens is a hundredth of it
  for (const char* level : {"off", "live", "full"}) {
    const Outcome outcome = fulgurite({"bench", "-m", model, "-p", "128", "-n", "32", "-r", "1",
                                       "-t", "2", "--taps", level, "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_LE(json::parse(outcome.out)["peak_bytes"].get<double>(),
              static_cast<double>(std::filesystem::file_size(model)) + kMost)
        << level;
  }
}

TEST_F(Numbers, BenchTellsEveryFigureOfEveryLevel) {
  const Outcome outcome = fulgurite(
      {"bench", "-p", "8", "-n", "6", "-r", "1", "-t", "2", "--taps", "off,live,full", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  for (const char* name : {"load_ms", "peak_bytes", "weight_bytes", "memory_bytes_per_s"}) {
    EXPECT_GT(result.at(name).get<double>(), 0.0) << name;
  }
  EXPECT_EQ(result["threads"], 2);
  for (const char* level : {"off", "live", "full"}) {
    const json& row = result.at(level);
    for (const char* name : {"prompt_tokens_per_s", "generation_tokens_per_s", "first_token_ms",
                             "load_ms", "peak_bytes"}) {
      EXPECT_GT(row.at(name).get<double>(), 0.0) << level << " " << name;
    }
    EXPECT_NEAR(row.at("weight_bytes_per_s").get<double>(),
                result["weight_bytes"].get<double>() * row["generation_tokens_per_s"].get<double>(),
                1.0);
    EXPECT_NEAR(
        row.at("prompt_weight_bytes_per_s").get<double>() /
            (result["weight_bytes"].get<double>() * row["prompt_tokens_per_s"].get<double>() / 8.0),
        1.0, 1e-6)
        << "one pass";
  }
  EXPECT_EQ(result["off"]["trace_bytes_per_token"], 0);
  EXPECT_GT(result["live"]["trace_bytes_per_token"].get<int>(), 1000);
  EXPECT_GT(result["full"]["trace_bytes_per_token"], result["live"]["trace_bytes_per_token"]);
  expect_refusal(fulgurite({"bench", "-p", "0"}), 2, "-p");
  expect_refusal(fulgurite({"bench", "-p", "99999"}), 2, "-p");
  expect_refusal(fulgurite({"bench", "--taps", "some"}), 2, "--taps");
}

}  // namespace
}  // namespace cli
