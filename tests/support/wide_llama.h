// A Llama whose attention is wide enough to run in blocks of a few bits: matrices of up to 65,536
// weights are widened when they are loaded (model/arch/weights.cpp), as all of the small models
// are.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "model/dequantize.h"
#include "model/format/gguf.h"
#include "model/quantize.h"
#include "tests/support/data.h"

namespace tests {

struct WideLlama {
  int64_t heads, head_width;  // of the queries; two KV heads
  model::DType type;          // of every matrix
  bool widened = false;       // the same numbers, stored as F32

  std::string name() const {
    return std::to_string(heads) + "x" + std::to_string(head_width) + "_" +
           std::string(model::dtype_name(type)) + (widened ? "_f32" : "");
  }
};

// Writes it into the folder, once; its vocabulary is that of the small Llama of the repository.
inline std::string wide_llama(const TempFolder& folder, const WideLlama& shape) {
  const std::string path = folder.file(shape.name() + ".gguf");
  if (std::filesystem::exists(path)) return path;
  const int64_t width = shape.heads * shape.head_width;
  constexpr int64_t kFf = 768;
  constexpr uint64_t kLayers = 2;
  const model::ModelFile small = model::open_gguf(data("models/llama-gqa.gguf").string());
  model::GgufWriter writer;
  for (const auto& [key, value] : small.metadata()) {
    if (key != "general.alignment" && !key.starts_with("llama.")) writer.add(key, value);
  }
  const auto number = [&](const char* key, int64_t n) {
    writer.add(std::string("llama.") + key, static_cast<uint64_t>(n));
  };
  number("vocab_size", 512);
  number("context_length", 256);
  number("embedding_length", width);
  number("block_count", kLayers);
  number("feed_forward_length", kFf);
  number("attention.head_count", shape.heads);
  number("attention.head_count_kv", 2);
  number("rope.dimension_count", shape.head_width);
  writer.add("llama.rope.freq_base", 10000.0);
  writer.add("llama.attention.layer_norm_rms_epsilon", 1e-6);

  std::mt19937 random(11);
  const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols) {
    const float size = 1.7F / std::sqrt(static_cast<float>(cols));
    std::vector<float> values(static_cast<size_t>(rows * cols));
    for (float& x : values) x = size * (static_cast<float>(random()) * 0x1p-31F - 1.0F);
    if (!shape.widened) return writer.add_tensor(name, rows, cols, shape.type, values.data());
    std::vector<std::byte> stored(model::dtype_row_bytes(shape.type, rows * cols));
    model::quantize_row(shape.type, values.data(), rows * cols, stored.data());
    model::dequantize(shape.type, stored.data(), rows * cols, values.data());
    writer.add_tensor(name, rows, cols, model::DType::kF32, values.data());
  };
  const std::vector<float> ones(static_cast<size_t>(width), 1.0F);
  const auto norm = [&](const std::string& name) {
    writer.add_tensor(name, 1, width, model::DType::kF32, ones.data());
  };
  matrix("token_embd.weight", 512, width);
  for (uint64_t l = 0; l < kLayers; ++l) {
    const std::string blk = "blk." + std::to_string(l) + ".";
    norm(blk + "attn_norm.weight");
    matrix(blk + "attn_q.weight", width, width);
    matrix(blk + "attn_k.weight", 2 * shape.head_width, width);
    matrix(blk + "attn_v.weight", 2 * shape.head_width, width);
    matrix(blk + "attn_output.weight", width, width);
    norm(blk + "ffn_norm.weight");
    matrix(blk + "ffn_gate.weight", kFf, width);
    matrix(blk + "ffn_up.weight", kFf, width);
    matrix(blk + "ffn_down.weight", width, kFf);
  }
  norm("output_norm.weight");
  matrix("output.weight", 512, width);
  writer.write(path);
  return path;
}

// Heads of a width that blocks of 32 do not divide (Phi-2's), and of one that they do.
inline std::vector<WideLlama> wide_llamas() {
  using model::DType;
  return {{4, 80, DType::kQ8_0},
          {4, 80, DType::kQ4_0},
          {8, 64, DType::kQ8_0},
          {8, 64, DType::kQ4_0},
          {8, 64, DType::kQ4K}};
}

}  // namespace tests
