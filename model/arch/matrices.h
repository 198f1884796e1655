// Any matrix of a decoder by the name that GGUF gives it, also where the file keeps it as a part of
// another: W_q of a fused attn_qkv, the gate of a fused ffn_up, one expert of a stack, a tied
// output; and the FFN's norm, whatever the file calls it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/config.h"
#include "model/format/model_file.h"

namespace model {

struct NamedMatrix {
  Tensor tensor;      // a view of the file
  std::string where;  // "rows 768..1535 of blk.0.attn_qkv.weight"; empty: under its own name
};

// "blk.3.attn_q.weight", "blk.3.ffn_gate.5.weight", "output.weight" ...; none: the model has no
// such matrix.
std::optional<NamedMatrix> find_matrix(const ModelFile& file, const Config& config,
                                       std::string_view name);

}  // namespace model
