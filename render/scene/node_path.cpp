#include "render/scene/node_path.h"

#include <charconv>
#include <vector>

namespace scene {

namespace {

// "L3.K0.5" -> "LK." and {3, 0, 5}: the letters, and the number after each.
struct Parts {
  std::string letters;
  std::vector<uint32_t> numbers;
};

std::optional<Parts> parts_of(std::string_view path) {
  constexpr size_t kMost = 4;
  Parts parts;
  for (size_t i = 0; i < path.size();) {
    if (parts.letters.size() == kMost) return {};
    // Every letter but the first stands behind a dot; a number behind one is a part of its own.
    if (i > 0 && path[i] != '.') return {};
    if (i > 0 && i + 1 < path.size() && path[i + 1] >= 'A') ++i;
    parts.letters += path[i++];
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(path.data() + i, path.data() + path.size(), number);
    if (error == std::errc::result_out_of_range) return {};
    if (error == std::errc()) {
      parts.numbers.push_back(number);
      i = static_cast<size_t>(end - path.data());
    }
  }
  return parts;
}

}  // namespace

std::optional<uint32_t> find_node(std::string_view path, const Layout& layout) {
  const std::optional<Parts> parts = parts_of(path);
  if (!parts) return {};
  const auto& m = layout.model();
  const auto& n = parts->numbers;
  const auto is = [&](std::string_view letters, size_t numbers) {
    return parts->letters == letters && n.size() == numbers;
  };
  if (is("C", 1) && n[0] < Layout::kCandidates) return layout.candidate(n[0]);
  if (is("T", 1) && n[0] < m.context) return layout.tape(layout.column_of(n[0]));
  if (n.empty() || n[0] >= m.layers) return {};
  if (is("LR", 1) && layout.router(n[0]) != shaders::kNoElement) return layout.router(n[0]);
  if (is("LA", 1)) return layout.spine(n[0], false, Layout::kSpineParts - 1);
  if (is("LM", 1)) return layout.spine(n[0], true, Layout::kSpineParts - 1);
  if (is("LH", 2) && n[1] < m.heads) return layout.head(n[0], n[1]);
  if (is("LF", 2) && n[1] < layout.subject(0).neurons(n[0])) return layout.cell_of(n[0], n[1]);
  if (is("LE", 2)) {
    const trace::StructureRecord& s = layout.structure();
    const uint64_t first = uint64_t{n[1]} * s.expert_neurons;
    const uint32_t neurons = layout.subject(0).neurons(n[0]);
    if (layout.router(n[0]) == shaders::kNoElement || n[1] > s.experts || first >= neurons)
      return {};
    return layout.cell_of(n[0], static_cast<uint32_t>(first));
  }
  if (is("LK.", 3) && n[1] < m.kv_heads && n[2] < m.context)
    return layout.slot(n[0], n[1], layout.column_of(n[2]));
  return {};
}

bool names_expert(std::string_view path) {
  const std::optional<Parts> parts = parts_of(path);
  return parts && parts->letters == "LE";
}

std::optional<uint32_t> find_storey(std::string_view path, const Layout& layout) {
  const std::optional<Parts> parts = parts_of(path);
  if (!parts || parts->letters != "L" || parts->numbers.size() != 1) return {};
  if (parts->numbers[0] >= layout.model().layers) return {};
  return parts->numbers[0];
}

std::string node_path(const NodeRef& ref, const Layout& layout) {
  if (ref.subject != 0) return {};  // names are of the first model's nodes
  const auto named = [&](std::string_view before, uint64_t number) {
    std::string name;
    if (before != "C" && before != "T") name.append("L").append(std::to_string(ref.layer));
    return name.append(before).append(std::to_string(number));
  };
  const uint64_t position = uint64_t{ref.column} * layout.positions_per_column();
  switch (ref.kind) {
    case Kind::kSpineAttention:
      return std::string("L").append(std::to_string(ref.layer)).append(".A");
    case Kind::kSpineFfn:
      return std::string("L").append(std::to_string(ref.layer)).append(".M");
    case Kind::kHead:
      return named(".H", ref.index);
    case Kind::kSlot:
      return named(".K", ref.index).append(".").append(std::to_string(position));
    case Kind::kCell:
      return named(".F", layout.first_neuron(ref.layer, ref.index));
    case Kind::kRouter:
      return std::string("L").append(std::to_string(ref.layer)).append(".R");
    case Kind::kCandidate:
      return named("C", ref.index);
    case Kind::kTape:
      return named("T", position);
    default:
      return {};
  }
}

}  // namespace scene
