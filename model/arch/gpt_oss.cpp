// gpt-oss (OpenAI 2025, arXiv:2508.10925): a mixture whose matrices all add a bias; every other
// layer, the first among them, has a window; each head has a sink, a logit beside its scores whose
// weight reads nothing; rotations are stretched (YaRN).
//
//   a_j = e^s_j / (e^sink + sum_i e^s_i)
//   FFN_e = W_down (g sigmoid(1.702 g) (u + 1)) + b,  g = min(W_gate m + b, 7),
//                                                     u = W_up m + b between -7 and 7
#include "model/arch/families.h"

namespace model {

Config read_gpt_oss(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  for (const char* name : {"attention.sliding_window", "expert_count"}) keys.require(name);
  c.rope = RopeKind::kHalves;
  c.own_head = keys.own_head();
  c.all_biased = true;
  c.sinks = true;
  c.ffn = FfnKind::kClampedSwiglu;
  c.expert_renormalise = true;
  keys.read_windows(c, 0, 2);
  return c;
}

}  // namespace model
