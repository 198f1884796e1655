// OLMoE (Muennighoff et al. 2024, arXiv:2409.02060): a mixture with Llama's layers, an RMS norm
// over the whole of q and of k, and the router's probabilities as they are.
#include "model/arch/families.h"

namespace model {

Config read_olmoe(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  c.own_head = keys.own_head();
  c.qk_norm = QkNorm::kProjection;
  c.expert_renormalise = keys.boolean("expert_weights_norm", false);
  return c;
}

}  // namespace model
