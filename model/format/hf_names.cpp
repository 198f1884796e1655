#include "model/format/hf_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace model {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Outside the layers.
constexpr std::array kGlobal = {
    Pair{"embed_tokens", "token_embd"},
    Pair{"wte", "token_embd"},
    Pair{"embed_in", "token_embd"},
    Pair{"wpe", "position_embd"},
    Pair{"norm", "output_norm"},
    Pair{"ln_f", "output_norm"},
    Pair{"final_layer_norm", "output_norm"},
    Pair{"final_layernorm", "output_norm"},
    Pair{"lm_head", "output"},
    Pair{"embed_out", "output"},
};

// Inside a layer; no name means two things in two families, but for those of kSandwich.
constexpr std::array kLayer = {
    Pair{"input_layernorm", "attn_norm"},
    Pair{"self_attn.q_proj", "attn_q"},
    Pair{"self_attn.k_proj", "attn_k"},
    Pair{"self_attn.v_proj", "attn_v"},
    Pair{"self_attn.qkv_proj", "attn_qkv"},
    Pair{"self_attn.o_proj", "attn_output"},
    Pair{"self_attn.dense", "attn_output"},
    Pair{"self_attn.q_norm", "attn_q_norm"},
    Pair{"self_attn.k_norm", "attn_k_norm"},
    Pair{"post_attention_layernorm", "ffn_norm"},
    Pair{"mlp.gate_proj", "ffn_gate"},
    Pair{"mlp.up_proj", "ffn_up"},
    Pair{"mlp.gate_up_proj", "ffn_up"},
    Pair{"mlp.down_proj", "ffn_down"},
    Pair{"mlp.fc1", "ffn_up"},
    Pair{"mlp.fc2", "ffn_down"},
    // mixtures
    Pair{"mlp.gate", "ffn_gate_inp"},
    Pair{"block_sparse_moe.gate", "ffn_gate_inp"},
    Pair{"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
    Pair{"mlp.shared_expert.up_proj", "ffn_up_shexp"},
    Pair{"mlp.shared_expert.down_proj", "ffn_down_shexp"},
    Pair{"mlp.shared_expert_gate", "ffn_gate_inp_shexp"},
    // GPT-2
    Pair{"ln_1", "attn_norm"},
    Pair{"attn.c_attn", "attn_qkv"},
    Pair{"attn.c_proj", "attn_output"},
    Pair{"ln_2", "ffn_norm"},
    Pair{"mlp.c_fc", "ffn_up"},
    Pair{"mlp.c_proj", "ffn_down"},
    // GPT-NeoX
    Pair{"attention.query_key_value", "attn_qkv"},
    Pair{"attention.dense", "attn_output"},
    Pair{"mlp.dense_h_to_4h", "ffn_up"},
    Pair{"mlp.dense_4h_to_h", "ffn_down"},
    // GLM 4
    Pair{"post_self_attn_layernorm", "post_attention_norm"},
    Pair{"post_mlp_layernorm", "post_ffw_norm"},
};

// Gemma 2 and 3 have norms before and after both halves of a layer, OLMo 2 and 3 after them.
constexpr std::array kSandwich = {
    Pair{"post_attention_layernorm", "post_attention_norm"},
    Pair{"pre_feedforward_layernorm", "ffn_norm"},
    Pair{"post_feedforward_layernorm", "post_ffw_norm"},
};

constexpr std::array kExpert = {
    Pair{"gate_proj", "ffn_gate"}, Pair{"up_proj", "ffn_up"}, Pair{"down_proj", "ffn_down"},
    Pair{"w1", "ffn_gate"},        Pair{"w3", "ffn_up"},      Pair{"w2", "ffn_down"},
};

template <size_t n>
std::string_view find(const std::array<Pair, n>& pairs, std::string_view name) {
  const auto at = std::find_if(pairs.begin(), pairs.end(),
                               [&](const Pair& pair) { return pair.first == name; });
  return at == pairs.end() ? std::string_view() : at->second;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Takes "12." off the front and returns "12"; empty when there is no number.
std::string_view take_number(std::string_view& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits == text.size() || text[digits] != '.') return {};
  const std::string_view number = text.substr(0, digits);
  text.remove_prefix(digits + 1);
  return number;
}

// What a layer's tensor is called behind "blk.N."; empty when it is unknown.
std::string layer_name(std::string_view name, std::string_view arch) {
  if (take_prefix(name, "mlp.experts.") || take_prefix(name, "block_sparse_moe.experts.")) {
    const std::string_view expert = take_number(name);
    const std::string_view matrix = find(kExpert, name);
    if (expert.empty() || matrix.empty()) return {};
    return std::string(matrix) + "." + std::string(expert);
  }
  if (arch == "gemma2" || arch == "gemma3" || arch == "olmo2") {
    const std::string_view sandwich = find(kSandwich, name);
    if (!sandwich.empty()) return std::string(sandwich);
  }
  return std::string(find(kLayer, name));
}

// Buffers that old versions of transformers wrote into the file; they are computed, not learnt.
bool is_buffer(std::string_view layer_tensor) {
  return layer_tensor.ends_with("rotary_emb.inv_freq") || layer_tensor == "attn.bias" ||
         layer_tensor == "attn.masked_bias" || layer_tensor == "attention.bias" ||
         layer_tensor == "attention.masked_bias";
}

}  // namespace

std::string gguf_tensor_name(std::string_view hf_name, std::string_view arch) {
  std::string_view name = hf_name;
  take_prefix(name, "model.language_model.") || take_prefix(name, "language_model.");
  for (const std::string_view prefix : {"model.", "transformer.", "gpt_neox."}) {
    take_prefix(name, prefix);
  }
  std::string_view layer;
  if (take_prefix(name, "layers.") || take_prefix(name, "h.")) {
    layer = take_number(name);
    if (layer.empty()) return std::string(hf_name);
  }
  if (is_buffer(name)) return {};
  const size_t dot = name.rfind('.');
  const std::string_view kind = dot == std::string_view::npos ? "" : name.substr(dot);
  if (kind != ".weight" && kind != ".bias") return std::string(hf_name);
  name = name.substr(0, dot);
  const std::string found =
      layer.empty() ? std::string(find(kGlobal, name)) : layer_name(name, arch);
  if (found.empty()) return std::string(hf_name);
  const std::string prefix = layer.empty() ? "" : "blk." + std::string(layer) + ".";
  return prefix + found + std::string(kind);
}

}  // namespace model
