// GPT-NeoX and Pythia (Black et al. 2022, arXiv:2204.06745).
//
//   x += W_o attention(rope(W_q n), rope(W_k n), W_v n) + W_down gelu(W_up m)
//        n = layernorm_1(x), m = layernorm_2(x): both read the same x (parallel)
//
// Part of each head is rotated. Every product has a bias.
#include "model/arch/families.h"

namespace model {

Config read_gptneox(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer);
  c.rope = RopeKind::kHalves;
  c.all_biased = true;
  c.ffn = keys.gelu();
  c.own_head = keys.own_head();
  c.parallel = keys.boolean("use_parallel_residual", true);
  return c;
}

}  // namespace model
