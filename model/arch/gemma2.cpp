// Gemma 2 (Gemma Team 2024, arXiv:2408.00118): Gemma with
//
//   x += rmsnorm(W_o attention(n))      x += rmsnorm(FFN(m))      norms after the sums as well
//   s  = 50 tanh(s / 50)                logits = 30 tanh(logits / 30)
//
// and a window in the first of every two layers.
#include <cmath>

#include "model/arch/families.h"

namespace model {

Config read_gemma2(const Keys& keys) {
  constexpr int64_t kLayersOf27B = 46;
  Config c = read_gemma(keys);
  c.post_norms = true;
  c.score_soft_cap = keys.positive_or_none("attn_logit_softcapping", 50.0F);
  c.final_soft_cap = keys.positive_or_none("final_logit_softcapping", 30.0F);
  keys.read_windows(c, 4096, 2);
  if (keys.has("rope.freq_base_swa")) {
    keys.file().fail("gemma2.rope.freq_base_swa is not supported");
  }
  // The largest one scales by the width of a head as C / H gives it, not by its own.
  if (c.n_layer == kLayersOf27B && !keys.has("attention.scale")) {
    c.attention_scale =
        1.0F / std::sqrt(static_cast<float>(c.n_embd) / static_cast<float>(c.n_head));
  }
  return c;
}

}  // namespace model
