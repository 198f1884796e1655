#include "model/tokenizer/pretokenizer.h"

#include <algorithm>
#include <iterator>

#include "model/tokenizer/cuts.h"

namespace model {
namespace {

using Cut = PreTokenizer::Cut;

constexpr Cut kGpt2Cuts[] = {cuts::gpt2};
constexpr Cut kLlama3Cuts[] = {cuts::llama3};
constexpr Cut kQwen2Cuts[] = {cuts::qwen2};
constexpr Cut kQwen35Cuts[] = {cuts::qwen35};
constexpr Cut kSeedCoderCuts[] = {cuts::seed_coder};
constexpr Cut kTekkenCuts[] = {cuts::tekken};
constexpr Cut kGpt4oCuts[] = {cuts::gpt4o};
constexpr Cut kKimiCuts[] = {cuts::kimi};
constexpr Cut kStarCoderCuts[] = {cuts::number, cuts::gpt2};
constexpr Cut kFalconCuts[] = {cuts::punctuation_or_tick, cuts::gpt2, cuts::three_digits};
constexpr Cut kDefaultCuts[] = {cuts::punctuation, cuts::gpt2, cuts::numbers, cuts::three_digits};
constexpr Cut kDeepSeekLlmCuts[] = {
    cuts::newline,        cuts::deepseek_letters, cuts::deepseek_punctuation,
    cuts::trailing_space, cuts::east_asian,       cuts::numbers};
constexpr Cut kDeepSeekCoderCuts[] = {cuts::newline, cuts::space_letters, cuts::space_punctuation,
                                      cuts::east_asian, cuts::number};
constexpr Cut kMiniCpm5Cuts[] = {cuts::three_numbers, cuts::llama3};
constexpr Cut kDeepSeek3Cuts[] = {cuts::three_numbers, cuts::han_and_kana, cuts::deepseek3};

constexpr PreTokenizer kGpt2{kGpt2Cuts};
constexpr PreTokenizer kLlama3{kLlama3Cuts, true, true};
constexpr PreTokenizer kGpt4{kLlama3Cuts};
constexpr PreTokenizer kQwen2{kQwen2Cuts};
constexpr PreTokenizer kQwen35{kQwen35Cuts};
constexpr PreTokenizer kSeedCoder{kSeedCoderCuts};
constexpr PreTokenizer kTekken{kTekkenCuts, true, true};
constexpr PreTokenizer kGpt4o{kGpt4oCuts};
constexpr PreTokenizer kKimi{kKimiCuts};
constexpr PreTokenizer kStarCoder{kStarCoderCuts};
constexpr PreTokenizer kFalcon{kFalconCuts};
constexpr PreTokenizer kDefault{kDefaultCuts};
constexpr PreTokenizer kDeepSeekLlm{kDeepSeekLlmCuts};
constexpr PreTokenizer kDeepSeekCoder{kDeepSeekCoderCuts};
constexpr PreTokenizer kMiniCpm5{kMiniCpm5Cuts, true};
constexpr PreTokenizer kDeepSeek3{kDeepSeek3Cuts};

// The names that llama.cpp's converter writes, and which of them share a rule.
struct Entry {
  std::string_view name;
  const PreTokenizer* rule;
};
constexpr Entry kEntries[] = {
    {"a.x-4.0", &kGpt2},
    {"bailingmoe", &kQwen2},
    {"bailingmoe2", &kQwen2},
    {"chatglm-bpe", &kGpt4},
    {"codeshell", &kStarCoder},
    {"command-r", &kStarCoder},
    {"dbrx", &kGpt4},
    {"deepseek-coder", &kDeepSeekCoder},
    {"deepseek-llm", &kDeepSeekLlm},
    {"deepseek-r1-qwen", &kQwen2},
    {"deepseek-v3", &kDeepSeek3},
    {"default", &kDefault},
    {"exaone", &kStarCoder},
    {"exaone4", &kGpt2},
    {"f2llmv2", &kQwen2},
    {"falcon", &kFalcon},
    {"falcon-h1", &kLlama3},
    {"falcon3", &kLlama3},
    {"gigachat", &kGpt2},
    {"glm4", &kGpt4},
    {"gpt-2", &kGpt2},
    {"gpt-4o", &kGpt4o},
    {"granite-docling", &kGpt2},
    {"grok-2", &kQwen2},
    {"hunyuan", &kQwen2},
    {"hunyuan-dense", &kDeepSeek3},
    {"hy_v4", &kDeepSeek3},
    {"jais", &kGpt2},
    {"jina-de", &kGpt2},
    {"jina-es", &kGpt2},
    {"jina-v2-de", &kGpt2},
    {"jina-v2-es", &kGpt2},
    {"jina-v5-nano", &kLlama3},
    {"joyai-llm", &kDeepSeek3},
    {"kanana2", &kGpt4o},
    {"kimi-k2", &kKimi},
    {"kormo", &kQwen2},
    {"lfm2", &kLlama3},
    {"llama-bpe", &kLlama3},
    {"llama-v3", &kLlama3},
    {"llama3", &kLlama3},
    {"llada-moe", &kQwen2},
    {"llama4", &kGpt4o},
    {"megrez", &kQwen2},
    {"mellum", &kGpt2},
    {"mellum2", &kStarCoder},
    {"midm-2.0", &kLlama3},
    {"minerva-7b", &kStarCoder},
    {"minicpm5", &kMiniCpm5},
    {"minimax-m2", &kGpt4o},
    {"modern-bert", &kGpt2},
    {"mpt", &kGpt2},
    {"olmo", &kGpt2},
    {"phi-2", &kGpt2},
    {"pixtral", &kLlama3},
    {"qwen2", &kQwen2},
    {"qwen35", &kQwen35},
    {"refact", &kStarCoder},
    {"seed-coder", &kSeedCoder},
    {"smaug-bpe", &kGpt4},
    {"smollm", &kStarCoder},
    {"solar-open", &kQwen2},
    {"stablelm2", &kQwen2},
    {"starcoder", &kStarCoder},
    {"talkie", &kGpt4o},
    {"tekken", &kTekken},
    {"trillion", &kGpt2},
};

}  // namespace

const PreTokenizer* find_pre_tokenizer(std::string_view name) noexcept {
  const auto* entry = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [&](const Entry& e) { return e.name == name; });
  return entry == std::end(kEntries) ? nullptr : entry->rule;
}

std::string known_pre_tokenizers() {
  std::string names;
  for (const Entry& entry : kEntries) {
    if (!names.empty()) names += ", ";
    names += entry.name;
  }
  return names;
}

}  // namespace model
