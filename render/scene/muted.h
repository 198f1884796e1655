// What a conversation runs without (engine/trace/muted.h), in the picture: which node stands for
// what, and in words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/trace/schema.h"
#include "render/scene/layout.h"

namespace scene {

// What can be muted in a node's place: of a head itself, of the residual stream where attention or
// the FFN adds to it all heads or all neurons of the layer, of a cell its neurons. Empty: nothing,
// as in models that stand beside the first.
std::vector<trace::MutedPart> parts_of(const Layout& layout, const NodeRef& ref);

// Whether all of that, or one part, is among the muted ones, by itself or with its layer or expert.
bool is_muted(const Layout& layout, const NodeRef& ref, std::span<const trace::MutedPart> muted);
bool is_muted(const Layout& layout, const trace::MutedPart& part,
              std::span<const trace::MutedPart> muted);

// With a node's parts, or one, added, or, where all are there, without what mutes them.
std::vector<trace::MutedPart> toggled(const Layout& layout, const NodeRef& ref,
                                      std::span<const trace::MutedPart> muted);
std::vector<trace::MutedPart> toggled(const Layout& layout, const trace::MutedPart& part,
                                      std::span<const trace::MutedPart> muted);

// The heads and cells that give nothing, or of whose neurons one does not, each once; of an expert
// a cell in its middle; for all neurons of a layer the residual stream where they would be added.
// Of kinds that are not known none.
std::vector<uint32_t> muted_elements(const Layout& layout, std::span<const trace::MutedPart> muted);

// "layer 3 head 1, layer 5 FFN and 3 more"; empty: nothing is muted.
std::string list_of(const Layout& layout, std::span<const trace::MutedPart> muted);

}  // namespace scene
