// A Llama whose attention is wide enough to run in blocks of a few bits: matrices of up to 65,536
// weights are widened when they are loaded (model/arch/weights.cpp), as all of the small models
// are.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/dequantize.h"
#include "model/format/gguf.h"
#include "model/quantize.h"
#include "tests/support/data.h"

namespace tests {

// Latent attention (DeepSeek-V2, arXiv:2405.04434), with W_UK and W_UV by themselves and queries
// made of few values, or in one and of all.
enum class Latent { kNone, kApart, kJoined };

struct WideLlama {
  int64_t heads, head_width;  // of the queries; two KV heads
  model::DType type;          // of every matrix
  Latent latent = Latent::kNone;
  bool widened = false;  // the same numbers, stored as F32

  std::string name() const {
    return std::to_string(heads) + "x" + std::to_string(head_width) + "_" +
           std::string(model::dtype_name(type)) +
           (latent == Latent::kNone    ? ""
            : latent == Latent::kApart ? "_latent"
                                       : "_joined") +
           (widened ? "_f32" : "");
  }
};

// Writes it into the folder, once; its vocabulary is that of the small Llama of the repository.
inline std::string wide_llama(const TempFolder& folder, const WideLlama& shape) {
  const std::string path = folder.file(shape.name() + ".gguf");
  if (std::filesystem::exists(path)) return path;
  const int64_t width = shape.heads * shape.head_width;
  constexpr int64_t kFf = 768;
  constexpr int64_t kExperts = 2;  // of the last layer, all at work, where attention is latent
  constexpr int64_t kRank = 160;
  constexpr int64_t kRotated = 32;
  constexpr uint64_t kLayers = 2;
  const bool latent = shape.latent != Latent::kNone;
  const bool joined = shape.latent == Latent::kJoined;
  const bool apart = shape.latent == Latent::kApart;
  const std::string arch = latent ? "deepseek2" : "llama";
  const int64_t queries = shape.head_width + (latent ? kRotated : 0);
  const model::ModelFile small = model::open_gguf(data("models/llama-gqa.gguf").string());
  model::GgufWriter writer;
  for (const auto& [key, value] : small.metadata()) {
    if (key == "general.alignment" || key.starts_with("llama.")) continue;
    writer.add(key, key == "general.architecture" ? model::MetaValue(arch) : value);
  }
  const auto number = [&](const char* key, int64_t n) {
    writer.add(arch + "." + key, static_cast<uint64_t>(n));
  };
  number("vocab_size", 512);
  number("context_length", 256);
  number("embedding_length", width);
  number("block_count", kLayers);
  number("feed_forward_length", kFf);
  number("attention.head_count", shape.heads);
  number("attention.head_count_kv", latent ? 1 : 2);
  number("rope.dimension_count", latent ? kRotated : shape.head_width);
  writer.add(arch + ".rope.freq_base", 10000.0);
  writer.add(arch + ".attention.layer_norm_rms_epsilon", 1e-6);
  if (latent) {
    number("attention.kv_lora_rank", kRank);
    if (apart) number("attention.q_lora_rank", kRank);
    number(joined ? "attention.key_length" : "attention.key_length_mla", queries);
    number(joined ? "attention.value_length" : "attention.value_length_mla", shape.head_width);
    number("expert_count", kExperts);
    number("expert_used_count", kExperts);
    number("expert_feed_forward_length", kFf);
    number("leading_dense_block_count", kLayers - 1);
  }

  std::mt19937 random(11);
  const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols, int64_t slices = 1) {
    const float size = 1.7F / std::sqrt(static_cast<float>(cols));
    rows *= slices;
    const auto shared = std::make_shared<std::vector<float>>(static_cast<size_t>(rows * cols));
    std::vector<float>& values = *shared;
    for (float& x : values) x = size * (static_cast<float>(random()) * 0x1p-31F - 1.0F);
    std::vector<std::byte> stored(model::dtype_row_bytes(shape.type, rows * cols));
    model::quantize_row(shape.type, values.data(), rows * cols, stored.data());
    if (shape.widened) model::dequantize(shape.type, stored.data(), rows * cols, values.data());
    const model::DType type = shape.widened ? model::DType::kF32 : shape.type;
    writer.add_tensor(name, {cols, rows / slices, slices, 1}, type,
                      [=](int64_t first, int64_t n, std::byte* out) {
                        model::quantize_row(type, shared->data() + first * cols, n * cols, out);
                      });
  };
  const std::vector<float> ones(static_cast<size_t>(width), 1.0F);
  const auto norm = [&](const std::string& name, int64_t n) {
    writer.add_tensor(name, 1, n, model::DType::kF32, ones.data());
  };
  matrix("token_embd.weight", 512, width);
  for (uint64_t l = 0; l < kLayers; ++l) {
    const std::string blk = "blk." + std::to_string(l) + ".";
    norm(blk + "attn_norm.weight", width);
    if (apart) {
      matrix(blk + "attn_q_a.weight", kRank, width);
      norm(blk + "attn_q_a_norm.weight", kRank);
      matrix(blk + "attn_q_b.weight", shape.heads * queries, kRank);
    } else {
      matrix(blk + "attn_q.weight", shape.heads * queries, width);
    }
    if (latent) {
      matrix(blk + "attn_kv_a_mqa.weight", kRank + kRotated, width);
      norm(blk + "attn_kv_a_norm.weight", kRank);
    } else {
      matrix(blk + "attn_k.weight", 2 * shape.head_width, width);
      matrix(blk + "attn_v.weight", 2 * shape.head_width, width);
    }
    if (joined) matrix(blk + "attn_kv_b.weight", shape.heads * 2 * shape.head_width, kRank);
    if (apart) {
      matrix(blk + "attn_k_b.weight", kRank, shape.head_width, shape.heads);
      matrix(blk + "attn_v_b.weight", shape.head_width, kRank, shape.heads);
    }
    matrix(blk + "attn_output.weight", width, width);
    norm(blk + "ffn_norm.weight", width);
    const bool mixed = latent && l + 1 == kLayers;
    const int64_t slices = mixed ? kExperts : 1;
    const std::string of = mixed ? "_exps.weight" : ".weight";
    if (mixed) matrix(blk + "ffn_gate_inp.weight", kExperts, width);
    matrix(blk + "ffn_gate" + of, kFf, width, slices);
    matrix(blk + "ffn_up" + of, kFf, width, slices);
    matrix(blk + "ffn_down" + of, width, kFf, slices);
  }
  norm("output_norm.weight", width);
  matrix("output.weight", 512, width);
  writer.write(path);
  return path;
}

// Heads of a width that blocks of 32 do not divide (Phi-2's), and of one that they do; and such as
// read one lane together; at last heads too wide for factors of W_O (Decoder::has_factors).
inline std::vector<WideLlama> wide_llamas() {
  using model::DType;
  return {{4, 80, DType::kQ8_0},
          {4, 80, DType::kQ4_0},
          {8, 64, DType::kQ8_0},
          {8, 64, DType::kQ4_0},
          {8, 64, DType::kQ4K},
          {8, 64, DType::kQ8_0, Latent::kApart},
          {8, 64, DType::kQ4_0, Latent::kApart},
          {8, 64, DType::kQ8_0, Latent::kJoined},
          {2, 544, DType::kQ8_0, Latent::kApart}};
}

}  // namespace tests
