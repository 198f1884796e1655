// StarCoder 2 (Lozhkov et al. 2024, arXiv:2402.19173): GPT-2's FFN and norms around Llama's
// attention. Every product has a bias.
#include "model/arch/families.h"

namespace model {

Config read_starcoder2(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer);
  c.rope = RopeKind::kHalves;
  c.all_biased = true;
  c.ffn = keys.gelu();
  keys.read_windows(c);
  return c;
}

}  // namespace model
