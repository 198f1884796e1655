#include "engine/structure/published.h"

#include <array>
#include <cmath>
#include <string>

namespace engine {

namespace {

using model::Config;
using model::FfnKind;
using model::NormKind;
using model::RopeKind;

struct Sizes {
  int64_t layers, width, heads, kv_heads, head_width, neurons, vocabulary, context;
};

Config sized(const char* arch, const Sizes& s) {
  Config c;
  c.arch = arch;
  c.n_layer = s.layers;
  c.n_embd = s.width;
  c.n_head = s.heads;
  c.n_head_kv = s.kv_heads;
  c.head_dim = s.head_width;
  c.attention_scale = 1.0F / std::sqrt(static_cast<float>(s.head_width));
  c.n_ff = s.neurons;
  c.n_vocab = s.vocabulary;
  c.n_ctx = s.context;
  return c;
}

Config gpt2(const Sizes& s) {
  Config c = sized("gpt2", s);
  c.norm = NormKind::kLayer;
  c.all_biased = true;
  c.learned_positions = true;
  c.rope = RopeKind::kNone;
  c.ffn = FfnKind::kGelu;
  return c;
}

Config untied(Config c) {
  c.tied = false;
  return c;
}

Config llama(const Sizes& s) {
  return untied(sized("llama", s));
}

Config mixture(Config c, int64_t experts, int64_t used, int64_t shared_neurons) {
  c.n_expert = experts;
  c.n_expert_used = used;
  c.n_ff_shared = shared_neurons;
  return c;
}

// What model/arch/gpt_oss.cpp reads of its files.
Config gpt_oss(int64_t layers, int64_t experts) {
  Config c = untied(
      mixture(sized("gpt-oss", {layers, 2880, 64, 8, 64, 2880, 201088, 131072}), experts, 4, 0));
  c.rope = RopeKind::kHalves;
  c.all_biased = true;
  c.sinks = true;
  c.ffn = FfnKind::kClampedSwiglu;
  c.window = 128;
  c.window_period = 2;
  return c;
}

Config deepseek_v3() {
  Config c = untied(
      mixture(sized("deepseek2", {61, 7168, 128, 1, 576, 2048, 129280, 163840}), 256, 8, 2048));
  c.kv_rank = 512;
  c.rope_dim = 64;
  c.query_rank = 1536;
  c.query_width = 192;
  c.head_value_dim = 128;
  // Stretched 40 times by YaRN, for which its scores are multiplied.
  const float growth = 1.0F + 0.1F * std::log(40.0F);
  c.attention_scale = growth * growth / std::sqrt(static_cast<float>(c.query_width));
  c.router = model::RouterKind::kSigmoid;
  c.choice_biased = true;
  c.expert_groups = 8;
  c.expert_groups_used = 4;
  c.expert_scale = 2.5F;
  c.dense_layers = 3;
  c.n_ff_dense = 18432;
  return c;
}

int64_t norm(const Config& c, int64_t width) {
  return width * (c.norm == NormKind::kLayer && c.all_biased ? 2 : 1);
}

int64_t ffn(const Config& c, int64_t neurons) {
  const int64_t biases = c.all_biased ? (c.gated() ? 2 : 1) * neurons + c.n_embd : 0;
  return (c.gated() ? 3 : 2) * c.n_embd * neurons + biases;
}

// DeepSeek-V3's modeling file: q_a, q_b, kv_a, kv_b, o and the norms of both compressed vectors.
int64_t latent_attention(const Config& c) {
  const int64_t queries = c.n_head * c.query_width;
  const int64_t plain = c.query_width - c.rope_dim;  // of a key, not rotated
  const int64_t of_queries =
      c.query_rank == 0 ? c.n_embd * queries : (c.n_embd + 1 + queries) * c.query_rank;
  return of_queries + c.n_embd * c.head_dim + c.kv_rank +
         c.kv_rank * c.n_head * (plain + c.head_value_dim) + c.n_head * c.head_value_dim * c.n_embd;
}

int64_t attention(const Config& c) {
  if (c.latent()) return latent_attention(c);
  const int64_t query = c.n_head * c.head_dim;
  const int64_t kv = c.n_head_kv * c.head_dim;
  int64_t n = 2 * c.n_embd * query + 2 * c.n_embd * kv;
  if (c.needs_head_biases()) n += query + 2 * kv;
  if (c.all_biased) n += c.n_embd;
  if (c.sinks) n += c.n_head;
  const bool by_head =
      c.qk_norm == model::QkNorm::kHead || c.qk_norm == model::QkNorm::kRotatedHead;
  if (by_head) n += 2 * c.head_dim;
  if (c.qk_norm == model::QkNorm::kProjection) n += query + kv;
  return n;
}

int64_t experts(const Config& c) {
  const int64_t biases = (c.all_biased ? c.n_expert : 0) + (c.choice_biased ? c.n_expert : 0);
  return c.n_expert * (c.n_embd + ffn(c, c.n_ff)) +
         (c.n_ff_shared > 0 ? ffn(c, c.n_ff_shared) : 0) + (c.shared_gated ? c.n_embd : 0) + biases;
}

// Of all layers.
int64_t ffns(const Config& c) {
  if (c.n_expert == 0) return c.n_layer * ffn(c, c.n_ff);
  return (c.n_layer - c.dense_layers) * experts(c) + c.dense_layers * ffn(c, c.n_ff_dense);
}

// Outside of attention and FFN: norms of a layer, and what lies below and above the layers.
int64_t norms(const Config& c) {
  const int64_t before = !c.pre_norms ? 0 : c.parallel && c.shared_norm ? 1 : 2;
  return (before + (c.post_norms ? 2 : 0)) * norm(c, c.n_embd);
}
int64_t ends(const Config& c) {
  int64_t n = c.n_vocab * c.n_embd + norm(c, c.n_embd);
  if (c.learned_positions) n += c.n_ctx * c.n_embd;
  if (!c.tied) n += c.n_vocab * c.n_embd + (c.arch == "phi2" ? c.n_vocab : 0);
  return n;
}

}  // namespace

std::span<const PublishedShape> published_shapes() {
  static const std::array<PublishedShape, 10> shapes = {{
      {"gpt2", "GPT-2", "Radford et al. 2019; config.json of openai-community/gpt2", 0.124,
       gpt2({12, 768, 12, 12, 64, 3072, 50257, 1024})},
      {"gpt2-xl", "GPT-2 XL", "Radford et al. 2019; config.json of openai-community/gpt2-xl", 1.56,
       gpt2({48, 1600, 25, 25, 64, 6400, 50257, 1024})},
      {"gpt3", "GPT-3", "Brown et al. 2020, arXiv:2005.14165, table 2.1", 175.0,
       gpt2({96, 12288, 96, 96, 128, 49152, 50257, 2048})},
      {"llama3-8b", "Llama 3.1 8B", "arXiv:2407.21783, table 3; config.json of Llama-3.1-8B", 8.03,
       llama({32, 4096, 32, 8, 128, 14336, 128256, 131072})},
      {"llama3-70b", "Llama 3.1 70B", "arXiv:2407.21783, table 3; config.json of Llama-3.1-70B",
       70.6, llama({80, 8192, 64, 8, 128, 28672, 128256, 131072})},
      {"llama3-405b", "Llama 3.1 405B", "arXiv:2407.21783, table 3; config.json of Llama-3.1-405B",
       405.9, llama({126, 16384, 128, 8, 128, 53248, 128256, 131072})},
      {"mixtral-8x7b", "Mixtral 8x7B",
       "arXiv:2401.04088, table 1; config.json of Mixtral-8x7B-v0.1", 46.7,
       mixture(llama({32, 4096, 32, 8, 128, 14336, 32000, 32768}), 8, 2, 0)},
      {"gpt-oss-20b", "gpt-oss-20b", "arXiv:2508.10925, table 1; config.json of gpt-oss-20b", 20.9,
       gpt_oss(24, 32)},
      {"gpt-oss-120b", "gpt-oss-120b", "arXiv:2508.10925, table 1; config.json of gpt-oss-120b",
       116.8, gpt_oss(36, 128)},
      {"deepseek-v3", "DeepSeek-V3", "arXiv:2412.19437, section 4.2; config.json of DeepSeek-V3",
       671.0, deepseek_v3()},
  }};
  return shapes;
}

uint64_t count_parameters(const Config& c) {
  return static_cast<uint64_t>(ends(c) + c.n_layer * (norms(c) + attention(c)) + ffns(c));
}

}  // namespace engine
