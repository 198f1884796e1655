#include "model/tokenizer/bpe.h"

#include "model/error.h"
#include "model/tokenizer/merge.h"
#include "model/tokenizer/unicode.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr bool prints_as_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

struct ByteMap {
  std::array<char32_t, 256> char_of_byte{};
  std::array<int, 512> byte_of_char{};

  constexpr ByteMap() {
    for (int& b : byte_of_char) b = -1;
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const char32_t c = prints_as_itself(b) ? static_cast<char32_t>(b) : next++;
      char_of_byte[static_cast<size_t>(b)] = c;
      byte_of_char[c] = b;
    }
  }
};
constexpr ByteMap kByteMap;

std::string text_of_byte(unsigned char byte) {
  std::string text;
  append_utf8(text, bpe_char_of_byte(byte));
  return text;
}

CharClass class_at(std::string_view text, size_t pos, size_t& bytes) noexcept {
  const Utf8Char c = decode_utf8(text, pos);
  bytes = c.bytes;
  return c.valid ? char_class(c.code) : CharClass::kOther;
}

}  // namespace

char32_t bpe_char_of_byte(unsigned char byte) noexcept {
  return kByteMap.char_of_byte[byte];
}

bool bpe_bytes_of_text(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    const int byte =
        c.valid && c.code < kByteMap.byte_of_char.size() ? kByteMap.byte_of_char[c.code] : -1;
    if (byte < 0) return false;
    bytes += static_cast<char>(static_cast<unsigned char>(byte));
    i += c.bytes;
  }
  return true;
}

size_t gpt2_word(std::string_view text) noexcept {
  for (const std::string_view s : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.starts_with(s)) return s.size();
  }
  size_t bytes = 0;
  const size_t begin = text[0] == ' ' && text.size() > 1 ? 1 : 0;
  const CharClass kind = class_at(text, begin, bytes);
  size_t end = begin + bytes;
  if (kind != CharClass::kSpace) {
    while (end < text.size() && class_at(text, end, bytes) == kind) end += bytes;
    return end;
  }
  // White space: all of it at the end of the text, else all but its last character, which
  // goes with the next word (or stands alone, when it is the only one).
  size_t last = 0;
  end = 0;
  while (end < text.size() && class_at(text, end, bytes) == CharClass::kSpace) {
    last = end;
    end += bytes;
  }
  return end < text.size() && last > 0 ? last : end;
}

BpeTokenizer::BpeTokenizer(const ModelFile& file) : VocabTokenizer(file, false) {
  const auto fail = [&](const std::string& what, const std::string& hint) {
    throw Error(ExitCode::kBadModel, what, file.name(), hint);
  };
  std::string bytes;
  for (size_t i = 0; i < texts().size(); ++i) {
    const std::string& text = texts()[i];
    const bool mapped = kind(i) == TokenKind::kNormal && bpe_bytes_of_text(text, bytes);
    add_piece(mapped ? bytes : text);
    if (mapped) ids_.emplace(text, static_cast<int32_t>(i));
  }
  if (const auto* merges = file.get_strings("tokenizer.ggml.merges")) {
    for (const std::string& merge : *merges) {
      const size_t space = merge.find(' ');
      if (space == 0 || space == std::string::npos || space + 1 == merge.size() ||
          merge.find(' ', space + 1) != std::string::npos) {
        fail("the merge " + quoted(merge) + " is not two parts with a space between",
             "convert the model again");
      }
      ranks_.emplace(merge, static_cast<double>(ranks_.size()));
    }
  }
  const std::string pre = file.get_string("tokenizer.ggml.pre", "gpt-2");
  if (!ranks_.empty() && pre != "gpt-2" && pre != "default") {
    fail("the pre-tokenizer " + quoted(pre) + " is not supported", "'gpt-2' is");
  }
  for (size_t b = 0; b < 256; ++b) {
    const auto at = ids_.find(text_of_byte(static_cast<unsigned char>(b)));
    byte_ids_[b] = at == ids_.end() ? -1 : at->second;
  }
  forget_texts();
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  if (ranks_.empty()) {
    ids.reserve(text.size());
    encode_word(text, ids);
    return ids;
  }
  while (!text.empty()) {
    const size_t n = gpt2_word(text);
    encode_word(text.substr(0, n), ids);
    text.remove_prefix(n);
  }
  return ids;
}

void BpeTokenizer::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  const auto put_byte = [&](unsigned char byte) {
    if (byte_ids_[byte] < 0) {
      throw Error(ExitCode::kUsage,
                  "the model's vocabulary has no token for the byte " +
                      quoted({reinterpret_cast<const char*>(&byte), 1}),
                  {}, "leave it out of the text");
    }
    ids.push_back(byte_ids_[byte]);
  };
  if (ranks_.empty()) {
    for (const char c : word) put_byte(static_cast<unsigned char>(c));
    return;
  }
  std::string text;
  std::vector<MergeSymbol> symbols;
  for (const char c : word) {
    const size_t begin = text.size();
    append_utf8(text, bpe_char_of_byte(static_cast<unsigned char>(c)));
    symbols.push_back({begin, text.size() - begin});
  }
  std::string key;
  merge_symbols(text, symbols, [&](std::string_view left, std::string_view right, double& rank) {
    key.assign(left).append(1, ' ').append(right);
    const auto at = ranks_.find(key);
    if (at == ranks_.end()) return false;
    rank = at->second;
    return true;
  });
  std::string bytes;
  for (const MergeSymbol& s : symbols) {
    if (s.bytes == 0) continue;
    key = text.substr(s.begin, s.bytes);
    if (const auto at = ids_.find(key); at != ids_.end()) {
      ids.push_back(at->second);
    } else {  // a merge whose result is no token
      CHECK(bpe_bytes_of_text(key, bytes));
      for (const char c : bytes) put_byte(static_cast<unsigned char>(c));
    }
  }
}

}  // namespace model
