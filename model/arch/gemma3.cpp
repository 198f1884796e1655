// Gemma 3 (Gemma Team 2025, arXiv:2503.19786): Gemma 2 without the caps on scores, with an RMS
// norm of every head of q and k; five layers in six have a window and a rotation of their own.
#include <cmath>

#include "model/arch/families.h"

namespace model {

Config read_gemma3(const Keys& keys) {
  constexpr int64_t kLayersOf27B = 62;
  Config c = read_gemma(keys);
  c.post_norms = true;
  c.qk_norm = QkNorm::kHead;
  c.final_soft_cap = keys.positive_or_none("final_logit_softcapping", 0.0F);
  keys.read_windows(c, 0, 6);
  c.rope_base_local =
      keys.positive("rope.local.freq_base", keys.positive("rope.freq_base_swa", 10000.0F));
  if (c.n_layer == kLayersOf27B && !keys.has("attention.scale")) {
    c.attention_scale =
        1.0F / std::sqrt(static_cast<float>(c.n_embd) / static_cast<float>(c.n_head));
  }
  return c;
}

}  // namespace model
