#include "model/tokenizer/spm.h"

#include <algorithm>
#include <cmath>

#include "model/error.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

std::string with_spaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t next = std::min(text.find(kSpace, i), text.size());
    out += text.substr(i, next - i);
    if (next == text.size()) break;
    out += ' ';
    i = next + kSpace.size();
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

size_t pair_of(char left, char right) noexcept {
  return static_cast<size_t>(static_cast<unsigned char>(left)) << 8 |
         static_cast<unsigned char>(right);
}

[[noreturn]] void fail(const ModelFile& file, const std::string& what) {
  throw Error(ExitCode::kBadModel, what, file.name(), "convert the model again");
}

}  // namespace

SpmTokenizer::SpmTokenizer(const ModelFile& file)
    : VocabTokenizer(file, {.adds_bos = true, .bos = 1, .eos = 2}), prefix_(prefix_of(file)) {
  read_scores(file);
  by_words_ = file.get_bool("fulgurite.tokenizer.split_words", false);
  fuses_unknown_ = file.get_bool("fulgurite.tokenizer.fuse_unknown", true);
  byte_ids_.fill(-1);
  index_.reserve(pieces_, texts().size());
  bool by_text = file.get_bool("fulgurite.tokenizer.byte_fallback", true);
  for (size_t i = 0; i < texts().size(); ++i) by_text = by_text && kind(i) != TokenKind::kByte;
  for (size_t i = 0; i < texts().size(); ++i) {
    const std::string& text = texts()[i];
    // Files that know no kinds have bytes, too.
    const bool spelt = by_text && kind(i) == TokenKind::kNormal && byte_of_text(text) >= 0;
    if (spelt || kind(i) == TokenKind::kByte) {
      add_byte(file, i);
      continue;
    }
    add_piece(with_spaces(text));
    const bool from_text = kind(i) == TokenKind::kNormal || kind(i) == TokenKind::kUserDefined ||
                           kind(i) == TokenKind::kUnused;
    // Spaces that are written as such are for the search for special tokens alone.
    if (!from_text || text.empty() || text.find(' ') != std::string::npos) continue;
    index_.insert(pieces_, static_cast<int32_t>(i));
    add_inner_pairs(pieces_[i]);
  }
  read_merges(file);
  finish_pieces(file.name());
}

SpmTokenizer::Prefix SpmTokenizer::prefix_of(const ModelFile& file) {
  const std::string scheme = file.get_string("fulgurite.tokenizer.prepend", "");
  if (scheme == "always") return Prefix::kAlways;
  if (scheme == "first") return Prefix::kFirst;
  const bool adds = file.get_bool("tokenizer.ggml.add_space_prefix", true);
  return adds ? Prefix::kNormaliser : Prefix::kNone;
}

void SpmTokenizer::read_scores(const ModelFile& file) {
  const MetaValue* value = file.find("tokenizer.ggml.scores");
  if (!value) {  // all the same, as in llama.cpp: the leftmost pair is joined first
    scores_.assign(texts().size(), 0.0F);
    return;
  }
  const auto* scores = std::get_if<std::vector<double>>(value);
  if (!scores) fail(file, "tokenizer.ggml.scores is not an array of floats");
  if (scores->size() != texts().size()) {
    fail(file, "there are " + std::to_string(texts().size()) + " tokens, but " +
                   std::to_string(scores->size()) + " scores");
  }
  scores_.reserve(scores->size());
  for (size_t i = 0; i < scores->size(); ++i) {
    if (std::isnan((*scores)[i])) {
      fail(file, "the score of token " + std::to_string(i) + " is no number");
    }
    scores_.push_back(static_cast<float>((*scores)[i]));
  }
}

void SpmTokenizer::read_merges(const ModelFile& file) {
  constexpr const char* kKey = "fulgurite.tokenizer.merges";
  const MetaValue* value = file.find(kKey);
  if (!value) return;
  const auto* ids = std::get_if<std::vector<uint64_t>>(value);
  if (!ids || ids->size() % 2 != 0) fail(file, std::string(kKey) + " is no list of pairs of ids");
  merges_.reserve(ids->size() / 2);
  for (size_t i = 0; i < ids->size(); i += 2) {
    const uint64_t left = (*ids)[i];
    const uint64_t right = (*ids)[i + 1];
    if (std::max(left, right) >= texts().size()) {
      fail(file, std::string(kKey) + " names token " + std::to_string(std::max(left, right)));
    }
    std::string joined(pieces_[left]);
    const int32_t merged = index_.find(pieces_, joined.append(pieces_[right]));
    if (merged < 0) continue;
    merges_.insert({static_cast<int32_t>(left), static_cast<int32_t>(right),
                    static_cast<uint32_t>(i / 2), merged});
  }
}

void SpmTokenizer::add_inner_pairs(std::string_view piece) {
  for (size_t i = 0; i < piece.size();) {
    i += decode_utf8(piece, i).bytes;
    if (i < piece.size()) inner_pairs_.set(pair_of(piece[i - 1], piece[i]));
  }
}

void SpmTokenizer::add_byte(const ModelFile& file, size_t id) {
  const int byte = byte_of_text(texts()[id]);
  if (byte < 0) fail(file, "the byte token " + std::to_string(id) + " is not written <0xXX>");
  int32_t& known = byte_ids_[static_cast<size_t>(byte)];
  if (known >= 0) {
    fail(file, "the tokens " + std::to_string(known) + " and " + std::to_string(id) +
                   " are the same byte");
  }
  known = static_cast<int32_t>(id);
  add_piece(std::string(1, static_cast<char>(static_cast<unsigned char>(byte))));
}

void SpmTokenizer::normalise(std::string& text, bool begins) const {
  if (pretokenizes()) return;
  if (text.find(kSpace) != std::string::npos) text = with_spaces(text);
  if (begins && prefix_ == Prefix::kNormaliser) text.insert(text.begin(), ' ');
}

void SpmTokenizer::encode_run(std::string text, bool first, std::vector<int32_t>& ids) const {
  if (pretokenizes()) {
    text = with_spaces(text);
    const bool prepends = prefix_ == Prefix::kAlways || first;
    if (prepends && !text.starts_with(' ')) text.insert(text.begin(), ' ');
  }
  const std::string_view input = text;
  Scratch scratch;
  size_t begin = 0;
  for (size_t i = 0; i < input.size();) {
    i += decode_utf8(input, i).bytes;
    const bool cuts = i == input.size() || (by_words_ && input[i] == ' ');
    if (!cuts && inner_pairs_[pair_of(input[i - 1], input[i])]) continue;
    encode_chunk(input.substr(begin, i - begin), scratch, ids);
    begin = i;
  }
}

void SpmTokenizer::encode_chunk(std::string_view chunk, Scratch& scratch,
                                std::vector<int32_t>& ids) const {
  std::vector<MergeSymbol>& symbols = scratch.symbols;
  symbols.clear();
  for (uint32_t i = 0; i < chunk.size();) {
    const auto n = static_cast<uint32_t>(decode_utf8(chunk, i).bytes);
    symbols.push_back({i, n, index_.find(pieces_, chunk.substr(i, n))});
    i += n;
  }
  scratch.merger.run(symbols, [&](const MergeSymbol& a, const MergeSymbol& b, auto& join) {
    if (!merges_.empty()) {
      const PairTable::Entry* entry = merges_.find(a.id, b.id);
      if (entry) join = {static_cast<float>(entry->rank), entry->merged};
      return entry != nullptr;
    }
    const int32_t id = index_.find(pieces_, chunk.substr(a.begin, a.bytes + b.bytes));
    if (id < 0) return false;
    join = {-scores_[static_cast<size_t>(id)], id};
    return true;
  });
  for (const MergeSymbol& s : symbols) {
    if (s.bytes == 0) continue;
    if (s.id >= 0) {
      scratch.unknown = false;
      ids.push_back(s.id);
    } else {
      put_character(chunk.substr(s.begin, s.bytes), scratch.unknown, ids);
    }
  }
}

void SpmTokenizer::put_character(std::string_view character, bool& unknown,
                                 std::vector<int32_t>& ids) const {
  const auto id_of = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (std::all_of(character.begin(), character.end(), [&](char c) { return id_of(c) >= 0; })) {
    for (const char c : character) ids.push_back(id_of(c));
    unknown = false;
  } else if (unknown_id() >= 0 && (!unknown || !fuses_unknown_)) {
    ids.push_back(unknown_id());
    unknown = true;
  }
}

std::string SpmTokenizer::decode(std::span<const int32_t> ids) const {
  std::string text;
  bool begins = prefix_ != Prefix::kNone;
  for (const int32_t id : ids) {
    std::string_view bytes = piece(id);
    if (is_special(static_cast<size_t>(id))) {
      begins =
          kind(static_cast<size_t>(id)) != TokenKind::kUnknown &&
          (prefix_ == Prefix::kAlways || (prefix_ == Prefix::kNormaliser && !in_normalised(id)));
    } else {
      if (begins && bytes.starts_with(' ')) bytes.remove_prefix(1);
      begins = false;
    }
    text += bytes;
  }
  return text;
}

}  // namespace model
