#include "engine/trace/muted.h"

#include <charconv>

namespace trace {

namespace {

// Takes a number from the front of the text.
std::optional<uint32_t> take_number(std::string_view& text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

}  // namespace

std::string name_of(const MutedPart& part) {
  const std::string layer = "L" + std::to_string(part.layer);
  switch (part.kind) {
    case MutedKind::kHead:
      return layer + ".H" + std::to_string(part.index);
    case MutedKind::kHeads:
      return layer + ".A";
    case MutedKind::kNeuron:
      return layer + ".F" + std::to_string(part.index);
    case MutedKind::kNeurons:
      return layer + ".M";
    case MutedKind::kExpert:
      return layer + ".E" + std::to_string(part.index);
  }
  return {};
}

std::optional<MutedPart> find_part(std::string_view name) {
  if (!take(name, "L")) return {};
  const std::optional<uint32_t> layer = take_number(name);
  if (!layer) return {};
  if (name == ".A") return MutedPart{MutedKind::kHeads, *layer, 0};
  if (name == ".M") return MutedPart{MutedKind::kNeurons, *layer, 0};
  const auto kind = take(name, ".H")   ? std::optional(MutedKind::kHead)
                    : take(name, ".F") ? std::optional(MutedKind::kNeuron)
                    : take(name, ".E") ? std::optional(MutedKind::kExpert)
                                       : std::nullopt;
  if (!kind) return {};
  const std::optional<uint32_t> index = take_number(name);
  if (!index || !name.empty()) return {};
  return MutedPart{*kind, *layer, *index};
}

}  // namespace trace
