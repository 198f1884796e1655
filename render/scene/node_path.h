// Short names of nodes, for the command line, the window's title and bookmarks:
//   L3.H1 head 1 of layer 3         L3.F20 neuron 20          L3.K0.5 position 5 of KV head 0
//   L3.E5 expert 5, as its first cell (the one that always works counts last)
//   L3.A, L3.M the residual stream where attention and FFN of layer 3 add to it
//   C0 the likeliest candidate      T5 the token at position 5      L3.R the router of a mixture
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "render/scene/layout.h"

namespace scene {

// An element of the layout; nothing when there is no such node.
std::optional<uint32_t> find_node(std::string_view path, const Layout& layout);

// Whether what find_node() finds is a cell that stands for its expert.
bool names_expert(std::string_view path);

// "L3": the storey alone.
std::optional<uint32_t> find_storey(std::string_view path, const Layout& layout);

// What find_node() finds again; empty for scenery. Of a cell or a column the first member.
std::string node_path(const NodeRef& ref, const Layout& layout);

}  // namespace scene
