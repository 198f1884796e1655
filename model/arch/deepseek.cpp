// DeepSeek's first mixture (Dai et al. 2024, arXiv:2401.06066): Llama whose first layers are dense
// and whose others have many small experts, of which some always work. Those after it are built
// alike: Ling by Ant Group (bailingmoe; 2.0, bailingmoe2, arXiv:2510.22115, normalises queries and
// keys and chooses by sigmoids, in groups) and dots.llm1 (arXiv:2506.05767).
#include "model/arch/families.h"

namespace model {

namespace {

Config read_mixture(const Keys& keys, RouterKind usual) {
  Config c = keys.common(NormKind::kRms, {.mixes = true});
  keys.read_large_mixture(c, usual);
  c.own_head = keys.own_head();
  return c;
}

}  // namespace

Config read_deepseek(const Keys& keys) {
  return read_mixture(keys, RouterKind::kSoftmax);
}

// From its second generation on with latent attention (DeepSeek-V2, arXiv:2405.04434; V3,
// arXiv:2412.19437): Kimi K2, Moonlight and GLM 4.7 Flash are built so too.
Config read_deepseek2(const Keys& keys) {
  Config c = keys.common(NormKind::kRms, {.mixes = true, .latent = true});
  keys.read_latent(c);
  // What files of GLM 4.7 Flash do not say is told by their sizes, as in llama.cpp.
  const bool glm = (c.n_layer == 47 || c.n_layer == 48) && c.n_vocab == 154880;
  keys.read_large_mixture(c, glm ? RouterKind::kSigmoid : RouterKind::kSoftmax);
  c.own_head = keys.own_head();
  return c;
}

Config read_bailingmoe2(const Keys& keys) {
  Config c = read_mixture(keys, RouterKind::kSigmoid);
  c.rope = RopeKind::kHalves;
  c.qk_norm = QkNorm::kHead;
  return c;
}

}  // namespace model
