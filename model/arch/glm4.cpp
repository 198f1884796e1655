// GLM 4 of 2025 (GLM Team 2024, arXiv:2406.12793): Llama with biases in W_q, W_k and W_v, part of
// each head rotated, W_gate and W_up in one tensor, and norms before and after both updates.
#include "model/arch/families.h"

namespace model {

Config read_glm4(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  // Files of those that see as well keep W_q and W_k in halves, for positions in three directions,
  // which are the same where text is read.
  if (keys.has_directions()) c.rope = RopeKind::kHalves;
  c.post_norms = true;
  return c;
}

// GLM 4.5 (GLM-4.5 Team 2025, arXiv:2508.06471): one norm before each part, sigmoids in the router,
// one layer or more without experts.
Config read_glm4moe(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.mixes = true});
  keys.read_large_mixture(c, RouterKind::kSigmoid);
  c.rope = RopeKind::kHalves;
  if (keys.file().find_tensor("blk.0.attn_q_norm.weight") != nullptr) c.qk_norm = QkNorm::kHead;
  return c;
}

}  // namespace model
