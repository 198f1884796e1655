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

}  // namespace model
