// StableLM (Bellagente et al. 2024, arXiv:2402.17834): Llama with layer norms, of which each head
// turns a part.
#include "model/arch/families.h"

namespace model {

Config read_stablelm(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer);
  c.rope = RopeKind::kHalves;
  c.own_head = keys.own_head();
  return c;
}

}  // namespace model
