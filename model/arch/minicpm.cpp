// MiniCPM (Hu et al. 2024, arXiv:2404.06395): Llama with x = scale E[id], each update scaled before
// it is added, and logits that are divided; what early files leave unsaid is as in its first
// models (dim_model_base of their config.json is 256; llama.cpp's issue 5276).
#include <cmath>

#include "model/arch/families.h"

namespace model {

Config read_minicpm(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.scales = true});
  c.embedding_scale = keys.scale("embedding_scale", 12.0F);
  c.update_scale = keys.scale("residual_scale", 1.4F / std::sqrt(static_cast<float>(c.n_layer)));
  c.logit_scale = keys.divisor("logit_scale", static_cast<float>(c.n_embd) / 256.0F);
  return c;
}

}  // namespace model
