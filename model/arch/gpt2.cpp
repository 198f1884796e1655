// GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").
//
//   x  = E[id] + P[position]
//   x += W_o attention(W_q n, W_k n, W_v n)     n = layernorm(x)
//   x += W_down gelu(W_up m)                    m = layernorm(x)
//   logits = E layernorm(x)
//
// Every product has a bias.
#include "model/arch/families.h"

namespace model {

Config read_gpt2(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer, {.rotates = false});
  c.all_biased = true;
  c.learned_positions = true;
  c.ffn = keys.gelu();
  return c;
}

}  // namespace model
