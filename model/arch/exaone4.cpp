// EXAONE 4 (LG AI Research 2025, arXiv:2507.11407): attention and FFN read x as it is, and each
// update is normalised before it is added; queries and keys are normalised head by head. In the
// model of 64 layers three layers in four have a window, and the fourth is not rotated.
//
//   x += norm(W_o attention(rope(norm(W_q x)), rope(norm(W_k x)), W_v x))
//   x += norm(W_down (silu(W_gate x) * (W_up x)))
#include "model/arch/families.h"

namespace model {

Config read_exaone4(const Keys& keys) {
  constexpr int64_t kLarge = 64;
  constexpr int64_t kPeriod = 4;
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  c.qk_norm = QkNorm::kHead;
  c.pre_norms = false;
  c.post_norms = true;
  if (c.n_layer != kLarge) return c;
  keys.read_windows(c, 4096, kPeriod);
  c.rope_period = c.window_period;  // what has no window is not rotated
  return c;
}

}  // namespace model
