// Names of the parts that a conversation can run without, as the picture's nodes are named:
//   L3.H1 head 1 of layer 3     L3.F20 neuron 20
//   L3.A all of its heads       L3.M all of its neurons      L3.E5 an expert of a mixture
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/trace/schema.h"

namespace trace {

// Empty for a kind that this version does not know.
std::string name_of(const MutedPart& part);

// Nothing when it is no such name; whether a model has the part is not asked.
std::optional<MutedPart> find_part(std::string_view name);

}  // namespace trace
