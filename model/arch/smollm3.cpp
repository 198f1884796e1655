// SmolLM 3 (Hugging Face 2025): Llama with every fourth layer's queries and keys left as they are,
// without a rotation (NoPE, Yang et al. 2025, arXiv:2501.18795).
#include "model/arch/families.h"

namespace model {

Config read_smollm3(const Keys& keys) {
  constexpr int64_t kPeriod = 4;
  Config c = read_llama(keys);
  if (c.n_layer >= kPeriod) c.rope_period = kPeriod;
  return c;
}

}  // namespace model
