// Hunyuan (Tencent 2025), the dense one of 0.5B to 7B and the translators made of it: Llama with an
// RMS norm of every head of q and k behind their rotation. Files hold RoPE's base already scaled
// for long contexts.
#include "model/arch/families.h"

namespace model {

Config read_hunyuan_dense(const Keys& keys) {
  Config c = keys.common(NormKind::kRms);
  c.rope = RopeKind::kHalves;
  c.qk_norm = QkNorm::kRotatedHead;
  return c;
}

}  // namespace model
