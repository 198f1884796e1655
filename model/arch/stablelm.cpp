// StableLM (Bellagente et al. 2024, arXiv:2402.17834): Llama with layer norms, of which each head
// turns a part; where there is no norm before the FFN, it reads what attention reads.
#include "model/arch/families.h"

namespace model {

Config read_stablelm(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer);
  c.rope = RopeKind::kHalves;
  c.own_head = keys.own_head();
  c.parallel = keys.file().find_tensor("blk.0.ffn_norm.weight") == nullptr;
  c.shared_norm = c.parallel;
  return c;
}

}  // namespace model
