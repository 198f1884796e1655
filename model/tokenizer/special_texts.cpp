#include "model/tokenizer/special_texts.h"

#include <algorithm>

namespace model {

void SpecialTexts::add(const Pieces& pieces, int32_t id, bool always) {
  const std::string_view text = pieces[static_cast<size_t>(id)];
  if (text.empty()) return;
  entries_.push_back({id, always});
  const auto first = static_cast<unsigned char>(text[0]);
  begins_[first] = true;
  if (always) begins_plain_[first] = true;
}

void SpecialTexts::finish(const Pieces& pieces) {
  const auto text = [&](const Entry& e) { return pieces[static_cast<size_t>(e.id)]; };
  std::stable_sort(entries_.begin(), entries_.end(),
                   [&](const Entry& a, const Entry& b) { return text(a) < text(b); });
}

SpecialTexts::Found SpecialTexts::find(const Pieces& pieces, std::string_view text, size_t pos,
                                       bool all) const noexcept {
  const auto& begins = all ? begins_ : begins_plain_;
  const auto name = [&](const Entry& e) { return pieces[static_cast<size_t>(e.id)]; };
  for (; pos < text.size(); ++pos) {
    if (!begins[static_cast<unsigned char>(text[pos])]) continue;
    // Of the sorted texts those that agree with the first `depth` bytes form a range, in
    // which one of exactly that length comes first.
    Found found;
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
        if (!all && !e->always) continue;
        found = {pos, depth + 1, e->id};
        break;
      }
    }
    if (found.id >= 0) return found;
  }
  return {};
}

}  // namespace model
