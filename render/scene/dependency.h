// What is computed from what: one table over the kinds of elements, after the decoder block that
// every family shares (model/arch/decoder.cpp). Hovering lights an element's sources by it, the
// tooltip takes its words from it, and the order of the animation is tested against it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/trace/reader.h"
#include "render/scene/layout.h"

namespace scene {

// Which elements of the source's kind, seen from the element that is computed.
enum class Reach : uint8_t {
  kSameLayer,   // all of the same layer
  kOwnLane,     // the slots of the KV head that this head reads
  kOwnColumn,   // of the same position
  kLayerBelow,  // of the layer below; below the first layer it is the tape
  kLastLayer,   // of the uppermost layer
  kDrawn,       // the candidate that was drawn at the end of the step before
  kAll,
};

struct Input {
  Kind kind;
  Reach reach;
};

struct Dependency {
  Kind kind;
  std::string_view words;  // from what, for the tooltip
  std::span<const Input> inputs;
};

// One row a kind; scenery has none.
std::span<const Dependency> dependencies();
const Dependency* dependency_of(Kind kind);

// How it is computed in a model that is built like this, as far as its trace says so; "" for
// scenery. A trace without a structure tells nothing of norms, biases and gates. latent: of the
// model's attention (trace::latent).
std::string formula_of(Kind kind, const trace::StructureRecord& structure, bool latent = false);

// "act = silu(gate) * up", as far as the trace tells.
std::string activation_formula(const trace::StructureRecord& structure);

// "softmax(W_router norm(x_mid))_e": the router's probability of expert e.
std::string router_formula(const trace::StructureRecord& structure);

// "G_e = p_e / sum of the chosen p": what a mixture's experts are weighed by. Traces that do not
// say whether it divides are of models before the flag was there, and say "G_e = p_e of the
// chosen".
std::string weight_formula(const trace::StructureRecord& structure);

// A neuron's share of the FFN update.
std::string neuron_formula(const trace::StructureRecord& structure);
// What is added to the formula of a share where updates are multiplied by a factor; else empty.
const char* before_scale(const trace::StructureRecord& structure) noexcept;

// Of a cell in a mixture: its expert, if the router left it out at this position, so that none of
// the cell's neurons was computed.
std::optional<uint32_t> idle_expert(const trace::Position& at, const Layout& layout,
                                    const NodeRef& cell);

struct Source {
  uint32_t element;     // of the layout
  float weight = 1.0F;  // 0..1: how much of it, where the trace knows; 1 where it does not
};

// The elements that `ref` was computed from at a step, the strongest first, at most `limit`; those
// that the trace does not list one by one are left out where there are more than that.
std::vector<Source> sources_of(const trace::Reader& reader, const Layout& layout,
                               const NodeRef& ref, size_t step, size_t limit);

}  // namespace scene
