// Phi-3 (Abdin et al. 2024, arXiv:2404.14219): Llama with W_q, W_k, W_v in one tensor and W_gate,
// W_up in another, stretched rotations (long RoPE) and, in some, a window.
#include "model/arch/families.h"

namespace model {

Config read_phi3(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  keys.read_windows(c);
  return c;
}

}  // namespace model
