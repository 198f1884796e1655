// The shapes of published models, and the types that llama.cpp would quantise their tensors to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/dtype.h"

namespace bench {

struct Shape {
  std::string_view name, arch, tokenizer;  // tokenizer: tokenizer.ggml.model
  int64_t layers, width, heads, kv_heads, head_width, neurons, vocabulary, context;
  float rope_base, epsilon;
  bool tied;
  int64_t experts = 0, experts_used = 0;  // 0: no mixture; neurons are an expert's
  int64_t shared_neurons = 0;             // of the expert that always works; 0: there is none
  int64_t dense_neurons = 0;              // of the first layer, if it is no mixture
  // Of latent attention, whose heads write from head_width values: what is kept, and rotated.
  int64_t kv_rank = 0, rotated = 0;
};

// GPT-2 (Radford et al. 2019), Qwen3-0.6B (Qwen team 2025, config.json), Qwen2.5-0.5B (Qwen team
// 2024, arXiv:2412.15115, config.json), TinyLlama-1.1B
// (Zhang et al. 2024, arXiv:2401.02385), Llama 3 8B (Meta 2024, arXiv:2407.21783), OLMoE-1B-7B
// (Muennighoff et al. 2024, arXiv:2409.02060), Qwen1.5-MoE-A2.7B (Qwen team 2024, config.json),
// gpt-oss-20b (OpenAI 2025, config.json), DeepSeek-V2-Lite (DeepSeek-AI 2024, arXiv:2405.04434,
// appendix B).
const std::vector<Shape>& shapes();

struct PlannedTensor {
  std::string name;
  std::vector<int64_t> ne;
  model::DType type;
  float deviation;  // of the random values; 0: all are `value`
  float value;
};

// f16, q8_0: every matrix. q4_0, q4_k: the output matrix (or the tied embedding) is Q6_K; q4_k is
// the mixture that llama-quantize calls Q4_K_M; mxfp4: experts in MXFP4, the others Q8_0. Throws
// std::invalid_argument for another name.
std::vector<PlannedTensor> plan(const Shape& shape, std::string_view quantisation);

}  // namespace bench
