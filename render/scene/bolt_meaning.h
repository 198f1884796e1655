// What a bolt stands for: which term of which sum, in words and numbers of the trace.
#pragma once

#include <string>

#include "engine/trace/reader.h"
#include "render/scene/choreography.h"
#include "render/scene/layout.h"

namespace scene {

struct BoltMeaning {
  std::string name;     // "KV read, position 12 -> layer 3 head 1"
  std::string measure;  // "share of the head's output"
  std::string formula;  // "a_j <W_O,h v_j, o_h> / |o_h|^2"
  std::string tensor;   // as in node_meaning.h; empty: none of its own
  float share = 0.0F;   // the raw number of the trace that sets its width
  std::string second;   // another number of the same term, "attention weight"; empty: none
  float second_value = 0.0F;
  float light = 0.0F;  // the brightness that the GPU is given
  std::string light_formula;
  float scale = 0.0F;  // what it is measured against; 0: none
};

// bolt: of choreograph(reader, layout, step). Bolts of unknown ends get a name and their share.
BoltMeaning explain_bolt(const trace::Reader& reader, const Layout& layout, size_t step,
                         const shaders::Bolt& bolt);

}  // namespace scene
