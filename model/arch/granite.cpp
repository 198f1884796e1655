// Granite 3, and 4 without state (Granite Team 2024), dense or a mixture: Llama with x = scale
// E[id], scores scaled by a number of the file, each update scaled before it is added, and logits
// that are divided. Some mixtures have an expert that always works.
#include "model/arch/families.h"

namespace model {

Config read_granite(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.scales = true});
  if (keys.file().get_bool("fulgurite.rope.halves", false)) c.rope = RopeKind::kHalves;
  c.embedding_scale = keys.scale("embedding_scale");
  c.update_scale = keys.scale("residual_scale");
  keys.require("logit_scale");
  c.logit_scale = keys.divisor("logit_scale");
  if (c.n_expert > 0) c.n_ff_shared = keys.neurons_of_shared();
  // llama.cpp's sign of files without a rotation.
  if (!keys.boolean("rope.scaling.finetuned", true)) c.rope = RopeKind::kNone;
  return c;
}

}  // namespace model
