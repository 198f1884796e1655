// ERNIE 4.5 (Baidu 2025), the mixture: Llama whose first layers are dense, and whose router adds a
// bias to choose by. The dense ones are Llama as it is.
#include "model/arch/families.h"

namespace model {

Config read_ernie4_5_moe(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.mixes = true});
  keys.read_large_mixture(c, RouterKind::kSoftmax, true);
  c.expert_renormalise = true;
  keys.refuse_other("interleave_moe_layer_step", 1);
  return c;
}

}  // namespace model
