// OLMo 2 and 3 (OLMo Team 2024, arXiv:2501.00656; 2025): attention and FFN read x as it is, and
// each update is normalised before it is added; an RMS norm of all queries and of all keys together
// before they are rotated.
//
//   x += norm(W_o attention(rope(norm(W_q x)), rope(norm(W_k x)), W_v x))
//   x += norm(W_down (silu(W_gate x) * (W_up x)))
//
// Of OLMo 3 three layers in four have a window; their rotation is never stretched.
#include "model/arch/families.h"

namespace model {

Config read_olmo2(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  c.own_head = keys.own_head();
  c.qk_norm = QkNorm::kProjection;
  c.pre_norms = false;
  c.post_norms = true;
  keys.read_windows(c, 0, 4);
  if (c.window > 0) {
    c.rope_base_local = keys.positive("rope.freq_base_swa", c.rope_base);
    c.rope_magnitude_local = 1.0F;
  }
  return c;
}

}  // namespace model
