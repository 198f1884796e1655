#include "engine/candidates.h"

namespace engine {

trace::Candidate candidate_of(const Choice& choice, std::string_view text) noexcept {
  constexpr std::string_view kMore = "\u2026";
  trace::Candidate c{choice.id, choice.logit, choice.probability, 0, {}};
  const bool cut = text.size() > c.text.size();
  if (cut) {
    size_t end = c.text.size() - kMore.size();
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
    text = text.substr(0, end);
  }
  c.text_bytes = static_cast<uint32_t>(text.copy(c.text.data(), text.size()));
  if (!cut) return c;
  kMore.copy(c.text.data() + c.text_bytes, kMore.size());
  c.text_bytes += static_cast<uint32_t>(kMore.size());
  return c;
}

}  // namespace engine
