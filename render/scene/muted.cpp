#include "render/scene/muted.h"

#include <algorithm>
#include <set>

#include "render/scene/tensors.h"

namespace scene {

using trace::MutedKind;
using trace::MutedPart;

namespace {

bool of_heads(MutedKind kind) {
  return kind == MutedKind::kHead || kind == MutedKind::kHeads;
}

// Whether muting `whole` mutes the part.
bool covers(const Layout& layout, const MutedPart& whole, const MutedPart& part) {
  if (whole == part) return true;
  if (whole.layer != part.layer || of_heads(whole.kind) != of_heads(part.kind)) return false;
  if (whole.kind == MutedKind::kExpert && part.kind == MutedKind::kNeuron)
    return layout.expert_of(part.layer, part.index) == whole.index;
  return whole.kind == MutedKind::kHeads || whole.kind == MutedKind::kNeurons;
}

std::string words_of(const Layout& layout, const MutedPart& part) {
  const std::string layer = "layer " + std::to_string(part.layer);
  switch (part.kind) {
    case MutedKind::kHead:
      return layer + " head " + std::to_string(part.index);
    case MutedKind::kHeads:
      return layer + " attention";
    case MutedKind::kNeuron:
      return layer + " " + layout.neuron_name(part.layer, part.index);
    case MutedKind::kNeurons:
      return layer + " FFN";
    case MutedKind::kExpert:
      return layer + " " + expert_name(layout.structure(), part.index);
  }
  return "what a later version knows";
}

// Whether each neuron of a cell is muted.
bool muted_neurons(const Layout& layout, const NodeRef& cell, std::span<const MutedPart> muted) {
  if (cell.subject != 0) return false;
  const IndexRange neurons = neurons_of(layout, cell);
  std::set<uint32_t> found;
  for (const MutedPart& part : muted) {
    if (part.layer != cell.layer) continue;
    if (part.kind == MutedKind::kNeurons) return true;
    if (part.kind == MutedKind::kExpert) {
      for (uint64_t n = neurons.first; n <= neurons.last; ++n) {
        const auto neuron = static_cast<uint32_t>(n);
        if (layout.expert_of(cell.layer, neuron) == part.index) found.insert(neuron);
      }
    }
    if (part.kind == MutedKind::kNeuron && part.index >= neurons.first &&
        part.index <= neurons.last)
      found.insert(part.index);
  }
  return found.size() == neurons.last - neurons.first + 1;
}

std::vector<MutedPart> toggled(const Layout& layout, const std::vector<MutedPart>& parts, bool all,
                               std::span<const MutedPart> muted) {
  std::vector<MutedPart> result(muted.begin(), muted.end());
  for (const MutedPart& part : parts) {
    if (all) {
      std::erase_if(result, [&](const MutedPart& whole) { return covers(layout, whole, part); });
    } else if (!is_muted(layout, part, result)) {
      // The whole takes the place of its parts.
      std::erase_if(result, [&](const MutedPart& one) { return covers(layout, part, one); });
      result.push_back(part);
    }
  }
  return result;
}

}  // namespace

std::vector<MutedPart> parts_of(const Layout& layout, const NodeRef& ref) {
  if (ref.subject != 0) return {};
  switch (ref.kind) {
    case Kind::kHead:
      return {{MutedKind::kHead, ref.layer, ref.index}};
    case Kind::kSpineAttention:
      return {{MutedKind::kHeads, ref.layer, 0}};
    case Kind::kSpineFfn:
      return {{MutedKind::kNeurons, ref.layer, 0}};
    case Kind::kCell: {
      std::vector<MutedPart> parts;
      const IndexRange neurons = neurons_of(layout, ref);
      if (neurons.last - neurons.first >= trace::kMostMuted) return {};
      for (uint64_t n = neurons.first; n <= neurons.last; ++n)
        parts.push_back({MutedKind::kNeuron, ref.layer, static_cast<uint32_t>(n)});
      return parts;
    }
    default:
      return {};
  }
}

bool is_muted(const Layout& layout, const NodeRef& ref, std::span<const MutedPart> muted) {
  if (muted.empty()) return false;
  if (ref.kind == Kind::kCell) return muted_neurons(layout, ref, muted);
  const std::vector<MutedPart> parts = parts_of(layout, ref);
  return !parts.empty() && is_muted(layout, parts.front(), muted);
}

std::vector<MutedPart> toggled(const Layout& layout, const NodeRef& ref,
                               std::span<const MutedPart> muted) {
  return toggled(layout, parts_of(layout, ref), is_muted(layout, ref, muted), muted);
}

std::vector<MutedPart> toggled(const Layout& layout, const MutedPart& part,
                               std::span<const MutedPart> muted) {
  return toggled(layout, {part}, is_muted(layout, part, muted), muted);
}

bool is_muted(const Layout& layout, const MutedPart& part, std::span<const MutedPart> muted) {
  return std::any_of(muted.begin(), muted.end(),
                     [&](const MutedPart& whole) { return covers(layout, whole, part); });
}

std::vector<uint32_t> muted_elements(const Layout& layout, std::span<const MutedPart> muted) {
  std::vector<uint32_t> elements;
  if (muted.empty()) return elements;
  std::vector<bool> seen(layout.elements());
  std::set<uint32_t> whole;  // layers whose heads are
  const auto add = [&](uint32_t element) {
    if (!seen[element]) elements.push_back(element);
    seen[element] = true;
  };
  for (const MutedPart& part : muted) {
    switch (part.kind) {
      case MutedKind::kHead:
        add(layout.head(part.layer, part.index));
        break;
      case MutedKind::kHeads:
        if (!whole.insert(part.layer).second) break;
        for (uint32_t h = 0; h < layout.model().heads; ++h) add(layout.head(part.layer, h));
        break;
      case MutedKind::kNeuron:
        add(layout.cell_of(part.layer, part.index));
        break;
      case MutedKind::kExpert: {
        const trace::StructureRecord of = layout.structure_of(part.layer);
        const uint32_t neurons = part.index < of.experts ? of.expert_neurons : of.shared_neurons;
        add(layout.cell_of(part.layer, part.index * of.expert_neurons + neurons / 2));
        break;
      }
      case MutedKind::kNeurons:
        add(layout.spine(part.layer, true, Layout::kSpineParts - 1));
        break;
    }
  }
  return elements;
}

std::string list_of(const Layout& layout, std::span<const MutedPart> muted) {
  constexpr size_t kNamed = 3;
  std::string list;
  const size_t named = muted.size() > kNamed + 1 ? kNamed : muted.size();
  for (const MutedPart& part : muted.first(named)) {
    if (!list.empty()) list += ", ";
    list += words_of(layout, part);
  }
  if (named < muted.size()) list += " and " + std::to_string(muted.size() - named) + " more";
  return list;
}

}  // namespace scene
