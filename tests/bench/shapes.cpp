#include "tests/bench/shapes.h"

#include <cmath>
#include <stdexcept>

namespace bench {

namespace {

using model::DType;

// Which matrix it is, as far as llama-quantize cares.
enum class Role { kPlain, kOutput, kFusedQkv, kValue, kDown };

DType type_of(Role role, int64_t layer, int64_t layers, std::string_view quantisation) {
  if (quantisation == "f16") return DType::kF16;
  if (quantisation == "q8_0") return DType::kQ8_0;
  if (quantisation != "q4_0" && quantisation != "q4_k") {
    throw std::invalid_argument("there is no quantisation '" + std::string(quantisation) + "'");
  }
  if (role == Role::kOutput) return DType::kQ6K;
  if (quantisation == "q4_0") return DType::kQ4_0;
  if (role == Role::kFusedQkv) return DType::kQ5K;
  // The first and the last eighth of the layers, and every third of the others.
  const bool more_bits =
      layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
  const bool sensitive = role == Role::kValue || role == Role::kDown;
  return more_bits && sensitive ? DType::kQ6K : DType::kQ4K;
}

// What llama-quantize takes where a row is no whole number of blocks of 256.
DType fitting(DType type, int64_t cols) {
  if (cols % 256 == 0) return type;
  if (type == DType::kQ4K) return DType::kQ5_0;
  if (type == DType::kQ5K) return DType::kQ5_1;
  return type == DType::kQ6K ? DType::kQ8_0 : type;
}

class Planner {
 public:
  Planner(const Shape& shape, std::string_view quantisation)
      : shape_(shape), quantisation_(quantisation) {}

  void matrix(const std::string& name, int64_t cols, int64_t rows, Role role = Role::kPlain,
              float gain = 1.0F) {
    stack(name, {cols, rows}, role, gain);
  }
  void stack(const std::string& name, const std::vector<int64_t>& ne, Role role, float gain) {
    // Unit inputs give unit outputs.
    const float deviation = gain / std::sqrt(static_cast<float>(ne.front()));
    const DType type = quantisation_ != "mxfp4"
                           ? type_of(role, layer_, shape_.layers, quantisation_)
                       : ne.size() == 3 ? DType::kMxfp4
                                        : DType::kQ8_0;
    tensors_.push_back({name + ".weight", ne, fitting(type, ne.front()), deviation, 0.0F});
  }
  void vector(const std::string& name, int64_t n, float value) {
    tensors_.push_back({name, {n}, DType::kF32, 0.0F, value});
  }
  void biases(const std::string& name, int64_t n) {  // of all experts
    tensors_.push_back({name, {n, shape_.experts}, DType::kF32, 0.0F, 0.0F});
  }
  void norm(const std::string& name, int64_t n) {
    vector(name + ".weight", n, 1.0F);
    if (shape_.arch == "gpt2") vector(name + ".bias", n, 0.0F);
  }
  void linear(const std::string& name, int64_t cols, int64_t rows, Role role = Role::kPlain,
              float gain = 1.0F) {
    matrix(name, cols, rows, role, gain);
    if (biased()) vector(name + ".bias", rows, 0.0F);
  }

  std::vector<PlannedTensor> all() {
    matrix("token_embd", shape_.width, shape_.vocabulary,
           shape_.tied ? Role::kOutput : Role::kPlain);
    if (shape_.arch == "gpt2") {
      tensors_.push_back({"position_embd.weight",
                          {shape_.width, shape_.context},
                          DType::kF32,
                          1.0F / std::sqrt(static_cast<float>(shape_.width)),
                          0.0F});
    }
    for (layer_ = 0; layer_ < shape_.layers; ++layer_) layer("blk." + std::to_string(layer_) + ".");
    norm("output_norm", shape_.width);
    if (!shape_.tied) matrix("output", shape_.width, shape_.vocabulary, Role::kOutput);
    return std::move(tensors_);
  }

 private:
  bool biased() const { return shape_.arch == "gpt2" || shape_.arch == "gpt-oss"; }

  void layer(const std::string& blk) {
    const int64_t width = shape_.width;
    const int64_t q = shape_.heads * shape_.head_width;
    const int64_t kv = shape_.kv_heads * shape_.head_width;
    // Updates of 2 L sub-layers add up to the size of one (as GPT-2's initialisation does).
    const float residual = 1.0F / std::sqrt(2.0F * static_cast<float>(shape_.layers));
    norm(blk + "attn_norm", width);
    if (shape_.arch == "gpt2") {
      linear(blk + "attn_qkv", width, q + 2 * kv, Role::kFusedQkv);
    } else if (shape_.kv_rank > 0) {
      latent(blk);
    } else {
      linear(blk + "attn_q", width, q);
      linear(blk + "attn_k", width, kv);
      linear(blk + "attn_v", width, kv, Role::kValue);
    }
    if (shape_.arch.starts_with("qwen2")) {
      vector(blk + "attn_q.bias", q, 0.0F);
      vector(blk + "attn_k.bias", kv, 0.0F);
      vector(blk + "attn_v.bias", kv, 0.0F);
    }
    if (shape_.arch == "qwen3") {
      norm(blk + "attn_q_norm", shape_.head_width);
      norm(blk + "attn_k_norm", shape_.head_width);
    }
    linear(blk + "attn_output", q, width, Role::kPlain, residual);
    if (shape_.arch == "olmoe") {
      norm(blk + "attn_q_norm", q);
      norm(blk + "attn_k_norm", kv);
    }
    if (shape_.arch == "gpt-oss") vector(blk + "attn_sinks.weight", shape_.heads, 0.0F);
    norm(blk + (shape_.arch == "gpt-oss" ? "post_attention_norm" : "ffn_norm"), width);
    const bool dense = layer_ == 0 && shape_.dense_neurons > 0;
    if (shape_.experts > 0 && !dense) return mixture(blk, residual);
    const int64_t neurons = dense ? shape_.dense_neurons : shape_.neurons;
    if (!biased()) linear(blk + "ffn_gate", width, neurons);
    linear(blk + "ffn_up", width, neurons);
    linear(blk + "ffn_down", neurons, width, Role::kDown, residual);
  }

  void latent(const std::string& blk) {
    const int64_t heads = shape_.heads;
    const int64_t d = shape_.head_width;
    matrix(blk + "attn_q", shape_.width, heads * (d + shape_.rotated));
    matrix(blk + "attn_kv_a_mqa", shape_.width, shape_.kv_rank + shape_.rotated);
    norm(blk + "attn_kv_a_norm", shape_.kv_rank);
    stack(blk + "attn_k_b", {d, shape_.kv_rank, heads}, Role::kPlain, 1.0F);
    stack(blk + "attn_v_b", {shape_.kv_rank, d, heads}, Role::kPlain, 1.0F);
  }

  void mixture(const std::string& blk, float residual) {
    const int64_t width = shape_.width;
    const int64_t experts = shape_.experts;
    const float unit = 1.0F / std::sqrt(static_cast<float>(width));
    tensors_.push_back({blk + "ffn_gate_inp.weight", {width, experts}, DType::kF32, unit, 0.0F});
    stack(blk + "ffn_gate_exps", {width, shape_.neurons, experts}, Role::kPlain, 1.0F);
    stack(blk + "ffn_up_exps", {width, shape_.neurons, experts}, Role::kPlain, 1.0F);
    stack(blk + "ffn_down_exps", {shape_.neurons, width, experts}, Role::kDown, residual);
    if (biased()) {
      vector(blk + "ffn_gate_inp.bias", experts, 0.0F);
      biases(blk + "ffn_gate_exps.bias", shape_.neurons);
      biases(blk + "ffn_up_exps.bias", shape_.neurons);
      biases(blk + "ffn_down_exps.bias", width);
    }
    if (shape_.shared_neurons == 0) return;
    if (shape_.kv_rank == 0)
      tensors_.push_back({blk + "ffn_gate_inp_shexp.weight", {width}, DType::kF32, unit, 0.0F});
    matrix(blk + "ffn_gate_shexp", width, shape_.shared_neurons);
    matrix(blk + "ffn_up_shexp", width, shape_.shared_neurons);
    matrix(blk + "ffn_down_shexp", shape_.shared_neurons, width, Role::kDown, residual);
  }

  const Shape& shape_;
  std::string_view quantisation_;
  int64_t layer_ = 0;
  std::vector<PlannedTensor> tensors_;
};

}  // namespace

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"gpt2-124M", "gpt2", "gpt2", 12, 768, 12, 12, 64, 3072, 50257, 1024, 0.0F, 1e-5F, true},
      {"qwen3-0.6B", "qwen3", "gpt2", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1e6F, 1e-6F, true},
      {"qwen2.5-0.5B", "qwen2", "gpt2", 24, 896, 14, 2, 64, 4864, 151936, 32768, 1e6F, 1e-6F, true},
      {"llama-8B", "llama", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 8192, 5e5F, 1e-5F, false},
      {"llama-1.1B", "llama", "llama", 22, 2048, 32, 4, 64, 5632, 32000, 2048, 1e4F, 1e-5F, false},
      {"olmoe-7B", "olmoe", "gpt2", 16, 2048, 16, 16, 128, 1024, 50304, 4096, 1e4F, 1e-5F, false,
       64, 8},
      {"qwen1.5-moe", "qwen2moe", "gpt2", 24, 2048, 16, 16, 128, 1408, 151936, 8192, 1e6F, 1e-6F,
       false, 60, 4, 5632},
      {"gpt-oss-20b", "gpt-oss", "gpt2", 24, 2880, 64, 8, 64, 2880, 201088, 131072, 1.5e5F, 1e-5F,
       false, 32, 4},
      {"deepseek-v2-lite",
       "deepseek2",
       "gpt2",
       27,
       2048,
       16,
       1,
       128,
       1408,
       102400,
       163840,
       1e4F,
       1e-6F,
       false,
       64,
       6,
       2 * 1408,
       10944,
       512,
       64},
  };
  return all;
}

std::vector<PlannedTensor> plan(const Shape& shape, std::string_view quantisation) {
  return Planner(shape, quantisation).all();
}

}  // namespace bench
