// What a node's light stands for, in words and numbers: the other half of choreography.h.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/trace/reader.h"
#include "render/scene/layout.h"

namespace scene {

// What a node's light stands for at a step, for the inspector and the tests.
struct Meaning {
  std::string measure;  // "share of the attention update"
  std::string formula;  // "<o_h, da> / |da|^2"
  std::string tensor;   // "blk.3.attn.head_share[1]": what holds it, or what it is made of
  float value = 0.0F;   // the raw number of the trace
  float scale = 0.0F;   // what brightness is measured against; 0: shown as it is
  float light = 0.0F;   // what the GPU is given
  bool known = false;   // false: this step holds nothing for the node
};
Meaning explain(const trace::Reader& reader, const Layout& layout, const NodeRef& ref, size_t step);

// What else the trace says of a node at a step, a line each: of a head the entropy of its attention
// and |o_h|, of a slot |k| and |v|. times: also how long a part of the step took, which is
// different in every run.
std::vector<std::string> besides(const trace::Reader& reader, const Layout& layout,
                                 const NodeRef& ref, size_t step, bool times);

}  // namespace scene
