// Phi-1.5 and Phi-2 (Li et al. 2023, arXiv:2309.05463):
//
//   x += W_o attention(rope(W_q n), rope(W_k n), W_v n) + W_down gelu(W_up n),  n = layernorm(x)
//
// One norm serves both. Part of each head is rotated. Every product has a bias, the logits too.
#include "model/arch/families.h"

namespace model {

Config read_phi2(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer);
  c.rope = RopeKind::kHalves;
  c.all_biased = true;
  c.ffn = keys.gelu();
  c.parallel = true;
  c.own_head = keys.own_head();
  c.head_biased = true;
  c.shared_norm = true;
  return c;
}

}  // namespace model
