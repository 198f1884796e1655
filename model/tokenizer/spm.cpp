#include "model/tokenizer/spm.h"

#include <cmath>

#include "model/error.h"
#include "model/tokenizer/merge.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const bool match = text.substr(i).starts_with(from);
    out += match ? to : text.substr(i, 1);
    i += match ? from.size() : 1;
  }
  return out;
}

// The byte of "<0xXX>", or -1.
int byte_of_text(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const std::string_view digits = "0123456789ABCDEF";
    const size_t digit = digits.find(c);
    if (digit == std::string_view::npos) return -1;
    value = value * 16 + static_cast<int>(digit);
  }
  return value;
}

}  // namespace

SpmTokenizer::SpmTokenizer(const ModelFile& file) : VocabTokenizer(file, true) {
  const auto fail = [&](const std::string& what) {
    throw Error(ExitCode::kBadModel, what, file.name(), "convert the model again");
  };
  const MetaValue* scores = file.find("tokenizer.ggml.scores");
  const auto* numbers = scores ? std::get_if<std::vector<double>>(scores) : nullptr;
  if (!numbers) fail("tokenizer.ggml.scores is missing or not an array of floats");
  if (numbers->size() != texts().size()) {
    fail("there are " + std::to_string(texts().size()) + " tokens, but " +
         std::to_string(numbers->size()) + " scores");
  }
  scores_ = *numbers;
  adds_space_ = file.get_bool("tokenizer.ggml.add_space_prefix", true);
  byte_ids_.fill(-1);
  for (size_t i = 0; i < texts().size(); ++i) {
    if (std::isnan(scores_[i])) fail("the score of token " + std::to_string(i) + " is no number");
    const std::string& text = texts()[i];
    const auto id = static_cast<int32_t>(i);
    if (kind(i) == TokenKind::kByte) {
      const int byte = byte_of_text(text);
      if (byte < 0) fail("the byte token " + std::to_string(i) + " is not written <0xXX>");
      byte_ids_[static_cast<size_t>(byte)] = id;
      add_piece(std::string(1, static_cast<char>(static_cast<unsigned char>(byte))));
    } else {
      add_piece(replace_all(text, kSpace, " "));
      if (kind(i) == TokenKind::kNormal || kind(i) == TokenKind::kUserDefined) {
        ids_.emplace(text, id);
      }
    }
  }
  forget_texts();
}

std::vector<int32_t> SpmTokenizer::encode(std::string_view input) const {
  std::vector<int32_t> ids;
  if (input.empty()) return ids;
  const std::string text =
      (adds_space_ ? std::string(kSpace) : std::string()) + replace_all(input, " ", kSpace);
  std::vector<MergeSymbol> symbols;
  for (size_t i = 0; i < text.size();) {
    const size_t n = decode_utf8(text, i).bytes;
    symbols.push_back({i, n});
    i += n;
  }
  std::string key;
  merge_symbols(text, symbols, [&](std::string_view left, std::string_view right, double& rank) {
    key.assign(left).append(right);
    const auto at = ids_.find(key);
    if (at == ids_.end()) return false;
    rank = -scores_[static_cast<size_t>(at->second)];
    return true;
  });
  for (const MergeSymbol& s : symbols) {
    if (s.bytes == 0) continue;
    key = text.substr(s.begin, s.bytes);
    if (const auto at = ids_.find(key); at != ids_.end()) {
      ids.push_back(at->second);
      continue;
    }
    for (const char c : key) {
      const int32_t id = byte_ids_[static_cast<unsigned char>(c)];
      if (id < 0) {
        throw Error(ExitCode::kUsage, "the model's vocabulary has no token for " + quoted(key), {},
                    "leave it out of the text");
      }
      ids.push_back(id);
    }
  }
  return ids;
}

}  // namespace model
