#include "model/tokenizer/special_texts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/tokenizer/unicode.h"

namespace model {

namespace {

bool is_space(const Character& c) noexcept {
  return c.category == Category::kSpace;
}

bool is_of_word(const Character& c) noexcept {
  return is_letter(c.category) || c.category == Category::kMark ||
         c.category == Category::kNumber || c.code == '_';
}

// The character that ends before text[end]; end > 0.
Character character_before(std::string_view text, size_t end) noexcept {
  for (size_t back = std::min<size_t>(end, 4); back > 1; --back) {
    const Character c = character_at(text, end - back);
    if (c.valid && c.bytes == back) return c;
  }
  return character_at(text, end - 1);
}

bool stands_alone(std::string_view text, size_t begin, size_t end) noexcept {
  return (begin == 0 || !is_of_word(character_before(text, begin))) &&
         (end == text.size() || !is_of_word(character_at(text, end)));
}

}  // namespace

void SpecialTexts::add(std::string_view text, int32_t id, const Rule& rule) {
  if (text.empty()) return;
  entries_.push_back({id, names_.add(text), rule});
  const auto first = static_cast<unsigned char>(text[0]);
  begins_[first] = true;
  if (rule.always) begins_plain_[first] = true;
}

void SpecialTexts::finish() {
  const auto name = [&](const Entry& e) { return names_[static_cast<size_t>(e.name)]; };
  std::stable_sort(entries_.begin(), entries_.end(),
                   [&](const Entry& a, const Entry& b) { return name(a) < name(b); });
  // Of equal names only the first is ever found, and the first that always is.
  std::vector<Entry> found;
  for (const Entry& e : entries_) {
    const bool again = !found.empty() && name(found.back()) == name(e);
    if (!again || (e.rule.always && !found.back().rule.always)) found.push_back(e);
  }
  entries_ = std::move(found);
}

size_t SpecialTexts::longest_at(std::string_view text, size_t pos, bool all,
                                const Entry*& entry) const noexcept {
  // Of the sorted names those that agree with the first `depth` bytes form a range, in which one
  // of exactly that length comes first.
  const auto name = [&](const Entry& e) { return names_[static_cast<size_t>(e.name)]; };
  size_t bytes = 0;
  auto first = entries_.begin();
  auto last = entries_.end();
  for (size_t depth = 0; pos + depth < text.size(); ++depth) {
    const auto byte = static_cast<unsigned char>(text[pos + depth]);
    const auto at = [&](const Entry& e) {
      const std::string_view n = name(e);
      return n.size() > depth ? static_cast<int>(static_cast<unsigned char>(n[depth])) : -1;
    };
    first = std::lower_bound(first, last, byte, [&](const Entry& e, int b) { return at(e) < b; });
    last = std::upper_bound(first, last, byte, [&](int b, const Entry& e) { return b < at(e); });
    if (first == last) break;
    for (auto e = first; e != last && name(*e).size() == depth + 1; ++e) {
      if (!all && !e->rule.always) continue;
      entry = &*e;
      bytes = depth + 1;
      break;
    }
  }
  return bytes;
}

SpecialTexts::Found SpecialTexts::find(std::string_view text, size_t taken, size_t pos, size_t end,
                                       bool all) const noexcept {
  const auto& begins = all ? begins_ : begins_plain_;
  const Entry* entry = nullptr;
  for (; pos < end; ++pos) {
    if (!begins[static_cast<unsigned char>(text[pos])]) continue;
    const size_t bytes = longest_at(text.substr(0, end), pos, all, entry);
    if (bytes == 0) continue;
    Found found{pos, pos + bytes, entry->id};
    if (entry->rule.single_word && !stands_alone(text, found.begin, found.end)) {
      pos = found.end - 1;
      continue;
    }
    while (entry->rule.lstrip && found.begin > taken) {
      const Character c = character_before(text, found.begin);
      if (!is_space(c) || c.bytes > found.begin - taken) break;
      found.begin -= c.bytes;
    }
    while (entry->rule.rstrip && found.end < text.size()) {
      const Character c = character_at(text, found.end);
      if (!is_space(c)) break;
      found.end += c.bytes;
    }
    return found;
  }
  return {};
}

}  // namespace model
