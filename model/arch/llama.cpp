// Llama 1 to 3, Mistral and Mixtral (Touvron et al. 2023, arXiv:2302.13971; Jiang et al. 2023,
// arXiv:2310.06825; 2024, arXiv:2401.04088). All later families are told by how they differ.
//
//   x  = E[id]
//   x += W_o attention(rope(W_q n), rope(W_k n), W_v n)     n = rmsnorm(x)
//   x += W_down (silu(W_gate m) * (W_up m))                 m = rmsnorm(x)
//   logits = W_output rmsnorm(x)
//
// A mixture has E such FFNs: p = softmax(W_router m), the best p are divided by their sum, and
// the update is the sum of G_e FFN_e(m).
//
// ERNIE 4.5 without experts and InternLM 2 are built the same.
#include "model/arch/families.h"

namespace model {

Config read_llama(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  // Files converted from Hugging Face's layout keep its order of rows in W_q and W_k.
  if (keys.file().get_bool("fulgurite.rope.halves", false)) c.rope = RopeKind::kHalves;
  keys.read_windows(c);
  return c;
}

}  // namespace model
