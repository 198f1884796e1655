// Command R and R7B, Aya (Cohere 2024, arXiv:2412.04261): attention and a gated FFN read the same
// layer norm without a bias and are added together; logits are multiplied by a number of the file.
// Of the second generation three layers in four have a window, and the fourth is not rotated.
//
//   x += W_o attention(rope(W_q n), rope(W_k n), W_v n) + W_down (silu(W_gate n) * (W_up n))
#include "model/arch/families.h"

namespace model {

Config read_command_r(const Keys& keys) {
  Config c = keys.common(NormKind::kLayer, {.scales = true});
  c.parallel = true;
  c.shared_norm = true;
  keys.require("logit_scale");
  c.logit_scale = keys.scale("logit_scale");
  return c;
}

Config read_cohere2(const Keys& keys) {
  constexpr int64_t kPeriod = 4;
  Config c = read_command_r(keys);
  keys.require("attention.sliding_window");
  keys.read_windows(c, 0, kPeriod);
  c.rope_period = c.window_period;
  return c;
}

}  // namespace model
