// DeepSeek's first mixture (Dai et al. 2024, arXiv:2401.06066): Llama whose first layers are dense
// and whose others have many small experts, of which some always work. Those after it are built
// alike: Ling by Ant Group (bailingmoe; 2.0, bailingmoe2, arXiv:2510.22115, normalises queries and
// keys and chooses by sigmoids, in groups) and dots.llm1 (arXiv:2506.05767).
#include "model/arch/families.h"

namespace model {

Config read_deepseek(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.mixes = true});
  keys.read_large_mixture(c, RouterKind::kSoftmax);
  c.own_head = keys.own_head();
  return c;
}

Config read_bailingmoe2(const Keys& keys) {
  Config c = read_deepseek(keys);
  c.rope = RopeKind::kHalves;
  c.qk_norm = QkNorm::kHead;
  return c;
}

}  // namespace model
