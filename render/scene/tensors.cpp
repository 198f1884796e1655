#include "render/scene/tensors.h"

#include <algorithm>
#include <utility>

namespace scene {

std::vector<TensorName> tensors_of(const Layout& layout, const NodeRef& ref, int32_t token,
                                   int32_t candidate) {
  const auto& m = layout.model();
  const std::string blk = "blk." + std::to_string(ref.layer) + ".";
  const auto index = static_cast<int32_t>(ref.index);
  const auto width = static_cast<int32_t>(m.head_width);
  const auto lane = static_cast<int32_t>(trace::kv_head_of(m, ref.index));
  const auto tap = [&](const char* title, const std::string& name, int32_t first = 0,
                       int32_t rows = -1, bool per_position = false) {
    return TensorName{title, name, first, rows, false, per_position, false, -1};
  };
  const auto one_of = [&](const char* title, const std::string& name, int64_t own) {
    return TensorName{title, name, 0, -1, false, false, false, own};
  };
  const auto cached = [&](const char* title, const std::string& name, int32_t kv_head) {
    const int64_t own = int64_t{ref.column} * layout.positions_per_column();
    return TensorName{title, name, kv_head, -1, false, false, true, own};
  };
  const auto weight = [&](const char* title, const std::string& name, int32_t first = 0,
                          int32_t rows = -1) {
    return TensorName{title, name, first, rows, true, false, false, -1};
  };
  const auto is = [&](trace::StructureFlag flag) { return (layout.structure().flags & flag) != 0; };
  const bool latent = layout.latent();
  const bool parallel = is(trace::kStructureParallel);
  const bool bare = is(trace::kStructureBareReads);
  switch (ref.kind) {
    case Kind::kSpineAttention:
      return {tap("attention update", blk + "attn.out"),
              tap("x before attention", blk + "resid.pre"), tap("x after it", blk + "resid.mid"),
              weight("norm gain", blk + (bare ? "post_attention_norm" : "attn_norm") + ".weight")};
    case Kind::kSpineFfn:
      return {tap("FFN update", blk + "ffn.out"),
              tap("x that the FFN reads", blk + (parallel ? "resid.pre" : "resid.mid")),
              tap("x after it", blk + "resid.post"),
              weight("norm gain", blk + (bare ? "post_ffw_norm" : "ffn_norm") + ".weight")};
    case Kind::kHead: {
      std::vector<TensorName> list = {
          tap("attention weights", blk + "attn.weights", index, 1, true),
          tap("scores", blk + "attn.scores", index, 1, true),
          tap("all heads' weights", blk + "attn.weights", 0, -1, true),
          tap("query", blk + "attn.q", index, 1),
          tap("mix of values", blk + "attn.z", index, 1),
          tap("output", blk + "attn.head_out", index, 1)};
      const std::vector<TensorName> weights =
          latent ? std::vector{weight("W_UQ of all heads", blk + "attn_q.weight"),
                               weight("W_DKV", blk + "attn_kv_a_mqa.weight"),
                               weight("W_UK of all heads", blk + "attn_k_b.weight"),
                               weight("W_UV of all heads", blk + "attn_v_b.weight")}
                 : std::vector{weight("W_q", blk + "attn_q.weight", index * width, width),
                               weight("W_k", blk + "attn_k.weight", lane * width, width),
                               weight("W_v", blk + "attn_v.weight", lane * width, width)};
      list.insert(list.end(), weights.begin(), weights.end());
      list.push_back(weight("W_o", blk + "attn_output.weight"));
      return list;
    }
    case Kind::kSlot:
      if (latent) {
        return {cached("what is kept for all heads", blk + "kv.k", 0),
                weight("W_DKV", blk + "attn_kv_a_mqa.weight")};
      }
      return {cached("keys of this KV head", blk + "kv.k", index),
              cached("values of this KV head", blk + "kv.v", index),
              weight("W_k", blk + "attn_k.weight", index * width, width),
              weight("W_v", blk + "attn_v.weight", index * width, width)};
    case Kind::kCell: {
      const auto& s = layout.structure();
      const bool mixed = s.experts > 0 && ref.layer >= s.dense_layers;
      auto first = static_cast<int32_t>(layout.first_neuron(ref.layer, ref.index));
      const int64_t own = first;
      if (mixed) {
        const uint32_t e = layout.expert_of(ref);
        first -= static_cast<int32_t>(e * s.expert_neurons);
        const std::string of = e < s.experts ? "." + std::to_string(e) : "_shexp";
        return {
            one_of("activations of all experts", blk + "ffn.act", own),
            one_of("gate", blk + "ffn.gate", own),
            one_of("up", blk + "ffn.up", own),
            weight("W_gate of this expert, this row", blk + "ffn_gate" + of + ".weight", first, 1),
            weight("W_up, this row", blk + "ffn_up" + of + ".weight", first, 1),
            weight("W_down", blk + "ffn_down" + of + ".weight")};
      }
      return {one_of("activations", blk + "ffn.act", own),
              one_of("gate", blk + "ffn.gate", own),
              one_of("up", blk + "ffn.up", own),
              weight("W_gate, this row", blk + "ffn_gate.weight", first, 1),
              weight("W_up, this row", blk + "ffn_up.weight", first, 1),
              weight("W_down", blk + "ffn_down.weight")};
    }
    case Kind::kCandidate:
    case Kind::kRestCandidate: {
      std::vector<TensorName> names = {one_of("logits", "logits", candidate),
                                       tap("normed residual", "norm")};
      if (candidate >= 0)
        names.push_back(weight("embedding row", "token_embd.weight", candidate, 1));
      return names;
    }
    case Kind::kTape:
      if (token < 0) return {};
      return {weight("embedding row", "token_embd.weight", token, 1)};
    case Kind::kRouter:
      return {tap("probabilities", blk + "router"), tap("chosen experts", blk + "experts"),
              tap("x after its norm", blk + "ffn.norm"),
              weight("W_router", blk + "ffn_gate_inp.weight")};
    case Kind::kScenery:
      break;
  }
  return {};
}

bool is_called(const TensorName& tensor, std::string_view name) {
  const std::string_view own = tensor.name;
  const size_t layer = own.starts_with("blk.") ? own.find('.', 4) + 1 : 0;
  return name == own || name == own.substr(layer);
}

IndexRange neurons_of(const Layout& layout, const NodeRef& cell) {
  const uint64_t first = layout.first_neuron(cell.layer, cell.index);
  const uint64_t end = layout.first_neuron(cell.layer, uint64_t{cell.index} + 1);
  return {first, std::max(end, first + 1) - 1};
}

std::string value_name(std::string_view tap, std::optional<uint32_t> layer,
                       std::initializer_list<IndexRange> indices) {
  std::string name;
  if (layer) name.append("blk.").append(std::to_string(*layer)).append(".");
  name.append(tap);
  char before = '[';
  for (const IndexRange& index : indices) {
    name += std::exchange(before, ',');
    name += std::to_string(index.first);
    if (index.last > index.first) name.append("..").append(std::to_string(index.last));
  }
  return indices.size() > 0 ? name + ']' : name;
}

}  // namespace scene
