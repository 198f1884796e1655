// Mistral's models since 2025 (Ministral 3): Llama with stretched rotations (YaRN) and queries that
// grow beyond the original context (Nakanishi 2025, arXiv:2501.19399).
//
//   q = (1 + scale ln(1 + floor(position / original))) rope(W_q n)
#include "model/arch/families.h"

namespace model {

Config read_mistral3(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.tempers = true});
  keys.read_temperature(c);
  return c;
}

}  // namespace model
