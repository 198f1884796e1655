#include "model/tokenizer/bpe.h"

#include "model/error.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

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

// Whether the byte at word[pos] is part of a character in UTF-8.
bool is_in_character(std::string_view word, size_t pos) noexcept {
  for (size_t back = 0; back <= std::min<size_t>(pos, 3); ++back) {
    const Utf8Char c = decode_utf8(word, pos - back);
    if (c.valid && c.bytes > back) return true;
  }
  return false;
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

// Files from before there was a key for it (spring 2024) are of the models which the architecture
// had then; those of Llama 3 may also say "default" (Ollama's). Of gptneox it is what llama.cpp
// takes.
std::string pre_tokenizer_name(const ModelFile& file) {
  std::string name = file.get_string("tokenizer.ggml.pre", "");
  if (!name.empty() && name != "default") return name;
  constexpr size_t kEndOfTurn = 128009;  // of Llama 3
  const auto* tokens = file.get_strings("tokenizer.ggml.tokens");
  if (tokens != nullptr && tokens->size() > kEndOfTurn && (*tokens)[kEndOfTurn] == "<|eot_id|>")
    return "llama-bpe";
  const std::string arch = name.empty() ? file.get_string("general.architecture", "") : "";
  if (arch == "gpt2" || arch == "phi2" || arch == "olmoe") return "gpt-2";
  if (arch == "qwen2" || arch == "qwen2moe") return "qwen2";
  return "default";
}

const PreTokenizer& BpeTokenizer::pre_tokenizer_of(const ModelFile& file) {
  const std::string name = pre_tokenizer_name(file);
  if (const PreTokenizer* pre = find_pre_tokenizer(name)) return *pre;
  throw Error(ExitCode::kBadModel, "the pre-tokenizer " + quoted(name) + " is not supported",
              file.name(), "known: " + known_pre_tokenizers());
}

BpeTokenizer::BpeTokenizer(const ModelFile& file, const PreTokenizer& pre)
    : VocabTokenizer(file, {.adds_bos = pre.adds_bos}),
      pre_(&pre),
      whole_words_(file.get_bool("fulgurite.tokenizer.ignore_merges", pre.whole_words)),
      adds_space_(file.get_bool("fulgurite.tokenizer.add_prefix_space", false)) {
  index_.reserve(pieces_, texts().size());
  std::string bytes;
  for (size_t i = 0; i < texts().size(); ++i) {
    const std::string& text = texts()[i];
    const bool mapped = !is_special(i) && bpe_bytes_of_text(text, bytes);
    add_piece(mapped ? bytes : text);
    if (mapped && !bytes.empty()) index_.insert(pieces_, static_cast<int32_t>(i));
  }
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(static_cast<unsigned char>(b));
    byte_symbols_[static_cast<size_t>(b)] = symbol_of({&byte, 1});
  }
  read_merges(file);
  finish_pieces(file.name());
  bool complete = true;
  for (const char c : kReplacement) {
    complete = complete && is_token(byte_symbols_[static_cast<unsigned char>(c)]);
  }
  Scratch scratch;
  if (complete) encode_word(kReplacement, scratch, replacement_);
}

void BpeTokenizer::read_merges(const ModelFile& file) {
  const auto* merges = file.get_strings("tokenizer.ggml.merges");
  const auto fail = [&](const std::string& what) { file.fail(what, "convert the model again"); };
  if (!merges) fail("tokenizer.ggml.merges is missing");
  if (merges->empty()) return;  // a token a byte
  size_t total = 0;
  for (const std::string& merge : *merges) total += merge.size();
  if (total > (size_t{1} << 30)) fail("the list of merges is too large");
  merges_.reserve(merges->size());
  std::string left;
  std::string right;
  for (size_t rank = 0; rank < merges->size(); ++rank) {
    const std::string_view merge = (*merges)[rank];
    const size_t space = merge.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == merge.size() ||
        merge.find(' ', space + 1) != std::string_view::npos) {
      fail("the merge " + quoted(merge) + " is not two parts with a space between");
    }
    if (!bpe_bytes_of_text(merge.substr(0, space), left) ||
        !bpe_bytes_of_text(merge.substr(space + 1), right)) {
      continue;  // no text has such a part
    }
    const int32_t a = symbol_of(left);
    const int32_t b = symbol_of(right);
    merges_.insert({a, b, static_cast<uint32_t>(rank), symbol_of(left += right)});
  }
}

int32_t BpeTokenizer::symbol_of(std::string_view bytes) {
  int32_t symbol = index_.find(pieces_, bytes);
  if (symbol >= 0) return symbol;
  symbol = pieces_.add(bytes);
  index_.insert(pieces_, symbol);
  return symbol;
}

void BpeTokenizer::encode_run(std::string text, bool, std::vector<int32_t>& ids) const {
  if (adds_space_ && !text.starts_with(' ')) text.insert(text.begin(), ' ');
  if (merges_.empty()) return put_bytes(text, 0, text.size(), ids);
  Scratch scratch;
  pre_->split(text, [&](std::string_view word) { encode_word(word, scratch, ids); });
}

void BpeTokenizer::encode_word(std::string_view word, Scratch& scratch,
                               std::vector<int32_t>& ids) const {
  if (merges_.empty()) return put_bytes(word, 0, word.size(), ids);
  if (whole_words_) {
    if (const int32_t id = index_.find(pieces_, word); id >= 0 && is_token(id)) {
      return ids.push_back(id);
    }
  }
  std::vector<MergeSymbol>& symbols = scratch.symbols;
  symbols.clear();
  for (uint32_t i = 0; i < word.size(); ++i) {
    symbols.push_back({i, 1, byte_symbols_[static_cast<unsigned char>(word[i])]});
  }
  scratch.merger.run(symbols, [&](const MergeSymbol& a, const MergeSymbol& b, auto& join) {
    const PairTable::Entry* entry = merges_.find(a.id, b.id);
    if (!entry) return false;
    join = {entry->rank, entry->merged};
    return true;
  });
  for (const MergeSymbol& s : symbols) {
    if (s.bytes == 0) continue;
    if (is_token(s.id)) {
      ids.push_back(s.id);
    } else {  // a merge whose result is no token
      put_bytes(word, s.begin, s.begin + s.bytes, ids);
    }
  }
}

void BpeTokenizer::put_bytes(std::string_view word, size_t begin, size_t end,
                             std::vector<int32_t>& ids) const {
  for (size_t i = begin; i < end; ++i) {
    const int32_t symbol = byte_symbols_[static_cast<unsigned char>(word[i])];
    if (is_token(symbol)) {
      ids.push_back(symbol);
    } else if (!is_in_character(word, i)) {
      ids.insert(ids.end(), replacement_.begin(), replacement_.end());
    }
  }
}

}  // namespace model
