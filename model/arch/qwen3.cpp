// Qwen 3 (Yang et al. 2025, arXiv:2505.09388): Llama with an RMS norm of every head of q and k
// before they are rotated. Qwen 3 VL's is the part that reads and writes text.
#include "model/arch/families.h"

namespace model {

Config read_qwen3(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  c.qk_norm = QkNorm::kHead;
  keys.read_windows(c);
  return c;
}

Config read_qwen3moe(const Keys& keys) {
  Config c = read_qwen3(keys);
  if (c.n_expert > 0) c.n_ff = keys.expert_width(c);
  return c;
}

}  // namespace model
