#include "model/arch/matrices.h"

#include <charconv>

#include "model/arch/weights.h"

namespace model {

namespace {

NamedMatrix part_of(const Tensor& whole, int64_t first, int64_t rows) {
  NamedMatrix part{whole, "rows " + std::to_string(first) + ".." +
                              std::to_string(first + rows - 1) + " of " + whole.name};
  part.tensor.ne = {whole.cols(), rows, 1, 1};
  part.tensor.data = whole.row(first);
  return part;
}

// W_q, W_k, W_v of a fused attn_qkv.
std::optional<NamedMatrix> fused_qkv(const Tensor& qkv, const Config& c, std::string_view which) {
  const int64_t q = c.n_head * c.head_dim;
  const int64_t kv = c.n_head_kv * c.head_dim;
  if (qkv.rows() != q + 2 * kv) return {};
  if (which == "attn_q") return part_of(qkv, 0, q);
  if (which == "attn_k") return part_of(qkv, q, kv);
  if (which == "attn_v") return part_of(qkv, q + kv, kv);
  return {};
}

}  // namespace

std::optional<NamedMatrix> find_matrix(const ModelFile& file, const Config& config,
                                       std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  // A fused ffn_up is asked for by halves: the gate comes first.
  const bool up = name.ends_with(".ffn_up.weight");
  const bool gate = name.ends_with(".ffn_gate.weight");
  if (up || gate) {
    std::string fused(name.substr(0, name.rfind(".ffn_")));
    const Tensor* both = file.find_tensor(fused + ".ffn_up.weight");
    const int64_t half = both != nullptr ? both->rows() / 2 : 0;
    if (both != nullptr && file.find_tensor(fused + ".ffn_gate.weight") == nullptr &&
        both->rows() % 2 == 0 && half == config.neurons(layer_of(name))) {
      return part_of(*both, up ? half : 0, half);
    }
  }
  if (const Tensor* tensor = file.find_tensor(name)) return NamedMatrix{*tensor, {}};
  constexpr std::string_view kFfnNorm = "ffn_norm.weight";
  if (name.ends_with(kFfnNorm)) {
    const std::string block(name.substr(0, name.size() - kFfnNorm.size()));
    const Tensor* norm = file.find_tensor(block + ffn_norm_name(config) + ".weight");
    if (norm == nullptr) return {};
    return NamedMatrix{*norm, norm->name};
  }
  if (name == "output.weight") {
    const Tensor* tied = file.find_tensor("token_embd.weight");
    if (tied == nullptr) return {};
    return NamedMatrix{*tied, "tied to " + tied->name};
  }
  // Of latent attention: W_UQ where queries are made of few values, W_UK and W_UV in one.
  for (const auto& [asked, held] : {std::pair{".attn_q.weight", ".attn_q_b.weight"},
                                    std::pair{".attn_k_b.weight", ".attn_kv_b.weight"},
                                    std::pair{".attn_v_b.weight", ".attn_kv_b.weight"}}) {
    if (!config.latent() || !name.ends_with(asked)) continue;
    const std::string block(name.substr(0, name.size() - std::string_view(asked).size()));
    const Tensor* tensor = file.find_tensor(block + held);
    if (tensor == nullptr) return {};
    return NamedMatrix{*tensor, tensor->name};
  }
  if (!name.ends_with(kWeight)) return {};
  const std::string_view stem = name.substr(0, name.size() - kWeight.size());
  const size_t dot = stem.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view before = stem.substr(0, dot);
  const std::string_view last = stem.substr(dot + 1);
  if (const Tensor* qkv = file.find_tensor(std::string(before) + ".attn_qkv.weight")) {
    return fused_qkv(*qkv, config, last);
  }
  // blk.3.ffn_gate.5: one expert of the stack blk.3.ffn_gate_exps.
  int64_t expert = -1;
  const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), expert);
  if (error != std::errc() || end != last.data() + last.size()) return {};
  const Tensor* stack = file.find_tensor(std::string(before) + "_exps.weight");
  if (stack == nullptr || expert < 0 || expert >= stack->ne[2] * stack->ne[3]) return {};
  return part_of(*stack, expert * stack->ne[1], stack->ne[1]);
}

}  // namespace model
