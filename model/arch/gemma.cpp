// Gemma (Gemma Team 2024, arXiv:2403.08295): Llama with x = sqrt(C) E[id] and gelu for silu.
// The files hold the norms' gains with the 1 already added.
#include <cmath>

#include "model/arch/families.h"

namespace model {

Config read_gemma(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  c.ffn = FfnKind::kGeluGated;
  c.embedding_scale = std::sqrt(static_cast<float>(c.n_embd));
  return c;
}

}  // namespace model
