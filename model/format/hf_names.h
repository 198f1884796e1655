// Hugging Face's names of tensors -> GGUF's.
#pragma once

#include <string>
#include <string_view>

namespace model {

// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight". `arch` is GGUF's name of
// the architecture. Experts are named one by one: "blk.3.ffn_gate.5.weight".
// Empty for what is no weight (masks and frequencies that old files store). A name that means
// nothing here comes back as it is, so that nobody overlooks the tensor.
std::string gguf_tensor_name(std::string_view hf_name, std::string_view arch);

}  // namespace model
