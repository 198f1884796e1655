// Granite 3 and 4 without experts (Granite Team 2024): Llama with x = scale E[id], scores scaled by
// a number of the file, each update scaled before it is added, and logits that are divided.
#include "model/arch/families.h"

namespace model {

Config read_granite(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.scales = true});
  if (keys.file().get_bool("fulgurite.rope.halves", false)) c.rope = RopeKind::kHalves;
  c.embedding_scale = keys.scale("embedding_scale");
  c.update_scale = keys.scale("residual_scale");
  c.logit_scale = 1.0F / keys.scale("logit_scale");
  return c;
}

}  // namespace model
