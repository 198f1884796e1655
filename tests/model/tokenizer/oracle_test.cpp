// The tokenizers against llama.cpp (oracles/tokenizer, vocab/*.out) and Hugging Face's.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <sstream>

#include "model/format/open.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/data.h"

namespace {

using model::Special;
using model::Tokenizer;
using Ids = std::vector<int32_t>;

// Each vocabulary is loaded once, whichever test asks first.
const Tokenizer& vocabulary(const std::string& path) {
  static std::map<std::string, std::unique_ptr<Tokenizer>> loaded;
  std::unique_ptr<Tokenizer>& tokenizer = loaded[path];
  if (!tokenizer) {
    tokenizer = model::make_tokenizer(model::open_model(tests::shared_data(path).string()));
  }
  return *tokenizer;
}

std::string vocab_path(const std::string& name) {
  return "vocab/ggml-vocab-" + name + ".gguf";
}

// The two references disagree about these: either answer is right.
bool disputed(const std::string& vocabulary, const std::string& text) {
  return vocabulary == "qwen2" &&
         (text == "a\xCC\x81 e\xCC\x88 \xC3\xA9" || text == "<s>[INST] hi [/INST]</s>");
}

class Vocabulary : public ::testing::TestWithParam<std::string> {};

TEST_P(Vocabulary, GivesTheIdsOfLlamaCpp) {
  REQUIRE_SHARED_DATA();
  const Tokenizer& t = vocabulary(vocab_path(GetParam()));
  const nlohmann::json oracle =
      tests::read_json(tests::shared_data("oracles/tokenizer/ggml-vocab-" + GetParam() + ".json"));
  ASSERT_GE(oracle["cases"].size(), 40U);
  for (const auto& c : oracle["cases"]) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(c["ids"].get<Ids>(), t.encode(text)) << c["text"];
    if (disputed(GetParam(), text)) continue;
    EXPECT_EQ(c["ids_bos_special"].get<Ids>(), encode_document(t, text, Special::kParse))
        << c["text"];
    EXPECT_EQ(c["ids_bos"].get<Ids>(), encode_document(t, text, Special::kPlainText)) << c["text"];
  }
}

// The pairs of texts and ids that llama.cpp's own tests use.
TEST_P(Vocabulary, PassesLlamaCppsOwnCases) {
  REQUIRE_SHARED_DATA();
  const std::string path = vocab_path(GetParam());
  if (!std::filesystem::exists(tests::shared_data(path + ".inp"))) {
    GTEST_SKIP() << "there are no cases for " << GetParam();
  }
  const std::string texts = tests::read_file(tests::shared_data(path + ".inp"));
  std::istringstream lines(tests::read_file(tests::shared_data(path + ".out")));
  const std::string separator = "\n__ggml_vocab_test__\n";
  size_t cases = 0;
  size_t begin = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    ASSERT_NE(std::string::npos, begin);
    const size_t end = texts.find(separator, begin);
    const std::string text = texts.substr(begin, end == std::string::npos ? end : end - begin);
    begin = end == std::string::npos ? end : end + separator.size();
    std::istringstream numbers(line);
    Ids want;
    for (int32_t id = 0; numbers >> id;) want.push_back(id);
    EXPECT_EQ(want, vocabulary(path).encode(text)) << "'" << text << "'";
  }
  EXPECT_EQ(46U, cases);
}

// Bytes that some vocabularies cannot express, and U+2581, which SentencePiece takes for a
// space, are no part of these texts.
std::string random_text(std::mt19937& random, const std::vector<bool>& expressible) {
  std::string text;
  for (size_t left = random() % 40; left > 0; --left) {
    const auto byte = static_cast<unsigned char>(random() % 4 == 0 ? " \n'a1"[random() % 5]
                                                                   : static_cast<int>(random()));
    if (expressible[byte]) text += static_cast<char>(byte);
  }
  return text.find("\xE2\x96\x81") == std::string::npos ? text : "";
}

TEST_P(Vocabulary, RandomBytesSurvive) {
  REQUIRE_SHARED_DATA();
  const Tokenizer& t = vocabulary(vocab_path(GetParam()));
  std::vector<bool> expressible(256);
  for (int32_t id = 0; id < t.vocab_size(); ++id) {
    if (t.piece(id).size() == 1) expressible[static_cast<unsigned char>(t.piece(id)[0])] = true;
  }
  EXPECT_GE(std::count(expressible.begin(), expressible.end(), true), 228);
  std::mt19937 random(11);
  for (int i = 0; i < 10000; ++i) {
    const std::string text = random_text(random, expressible);
    ASSERT_EQ(text, t.decode(t.encode(text)));
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Vocabulary,
                         ::testing::Values("deepseek-coder", "deepseek-llm", "falcon", "gpt-2",
                                           "gpt-neox", "llama-bpe", "llama-spm", "mpt", "phi-3",
                                           "qwen2", "refact", "starcoder"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(TokenizerOracle, Stories260K) {
  REQUIRE_SHARED_DATA();
  const Tokenizer& t = vocabulary("models/real/stories260K-f16.gguf");
  const nlohmann::json oracle =
      tests::read_json(tests::shared_data("oracles/tokenizer/stories260K-tok512.json"));
  for (const auto& c : oracle["cases"]) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(c["ids"].get<Ids>(), t.encode(text)) << c["text"];
    EXPECT_EQ(c["ids_bos_special"].get<Ids>(), encode_document(t, text, Special::kParse));
  }
}

// A vocabulary without byte tokens: what it cannot express becomes <unk>, a run of it one.
TEST(TokenizerOracle, TinyStories656KAsHuggingFaceReadsIt) {
  REQUIRE_SHARED_DATA();
  const Tokenizer& t = vocabulary("models/real/TinyStories-656K-f16.gguf");
  const nlohmann::json oracle =
      tests::read_json(tests::shared_data("oracles/tokenizer/TinyStories-656K-hf.json"));
  for (const auto& c : oracle["cases"]) {
    EXPECT_EQ(c["ids"].get<Ids>(), t.encode(c["text"].get<std::string>())) << c["text"];
  }
}

// ---- the oracles of whole models

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// Returns how many texts there were: a folder of Hugging Face may lack its tokenizer.
size_t expect_oracle_ids(const std::filesystem::path& model_path,
                         const std::filesystem::path& oracle) {
  const model::ModelFile file = model::open_model(model_path.string());
  if (file.find("tokenizer.ggml.tokens") == nullptr) return 0;
  const auto t = model::make_tokenizer(file);
  size_t texts = 0;
  const nlohmann::json description = tests::read_json(oracle);
  for (const auto& c : description["cases"]) {
    if (c.contains("greedy")) {  // a continuation: piece by piece
      std::string text;
      for (const int32_t id : c["greedy"]["ids"].get<Ids>()) text += t->piece(id);
      EXPECT_EQ(c["greedy"]["text_hex"], hex(text)) << oracle;
    }
    if (!c.contains("text") || !c["text"].is_string()) continue;
    ++texts;
    Ids ids = encode_document(*t, c["text"].get<std::string>(), Special::kPlainText);
    // The oracles keep the first tokens of a long text.
    const auto want = c["ids"].get<Ids>();
    if (want.size() >= 64 && ids.size() > want.size()) ids.resize(want.size());
    EXPECT_EQ(want, ids) << oracle << " " << c["text"];
  }
  return texts;
}

TEST(TokenizerOracle, TheSmallModelsOfTheRepository) {
  for (const std::string name : {"llama-gqa", "llama-gqa-f16"}) {
    EXPECT_LE(1U, expect_oracle_ids(tests::data("models/" + name + ".gguf"),
                                    tests::data("oracles/" + name + "/oracle.json")));
  }
}

// Every oracle of a model that the data has, also of those that are added.
TEST(TokenizerOracle, AllModels) {
  REQUIRE_SHARED_DATA();
  namespace fs = std::filesystem;
  const fs::path oracles = tests::shared_data("oracles");
  const fs::path models = tests::shared_data("models");
  size_t compared = 0;
  for (const auto& [below, kind, suffix] :
       {std::tuple{"", "real", ".gguf"}, {"synth", "synth", ".gguf"}, {"hf", "hf", ""}}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(oracles / below)) {
      const fs::path oracle = entry.path() / "oracle.json";
      const fs::path model = models / kind / (entry.path().filename().string() + suffix);
      if (!fs::exists(oracle) || !fs::exists(model)) continue;
      SCOPED_TRACE(oracle.string());
      compared += expect_oracle_ids(model, oracle) > 0 ? 1 : 0;
    }
  }
  EXPECT_GE(compared, 30U);
}

}  // namespace
