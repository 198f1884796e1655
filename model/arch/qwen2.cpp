// Qwen 1.5, 2 and 2.5 (Yang et al. 2024, arXiv:2407.10671): Llama with biases in W_q, W_k and
// W_v. The mixture keeps the router's probabilities as they are and adds an expert that always
// works, gated by sigmoid(w . m). Of those that see (Qwen 2 VL and 2.5 VL) it is the part that
// reads and writes text, whose positions are the same in all three directions. Seed-OSS (ByteDance
// 2025) is built like the dense ones.
#include "model/arch/families.h"

namespace model {

Config read_qwen2(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  keys.read_windows(c);
  return c;
}

Config read_qwen2moe(const Keys& keys) {
  Config c = read_qwen2(keys);
  c.own_head = keys.own_head();
  c.expert_renormalise = keys.boolean("expert_weights_norm", false);
  if (c.n_expert > 0) c.n_ff = keys.expert_width(c);
  c.shared_gated = true;
  c.n_ff_shared = keys.integer("expert_shared_feed_forward_length", 1 << 24, keys.dense_width());
  return c;
}

}  // namespace model
