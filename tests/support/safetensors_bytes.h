// Builds files of safetensors byte by byte, right or wrong in any place, and folders of Hugging
// Face in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/format/hf_folder.h"

namespace tests {

// A file of this header, which may be no JSON at all, and these data.
inline std::string safetensors_file(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

class SafetensorsBytes {
 public:
  // Float32 values, shape slowest first; the values count up from `first`.
  SafetensorsBytes& f32(const std::string& name, const std::vector<int64_t>& shape,
                        float first = 0.0F) {
    size_t n = 1;
    for (const int64_t size : shape) n *= static_cast<size_t>(size);
    std::string data(4 * n, '\0');
    for (size_t i = 0; i < n; ++i) {
      const float value = first + static_cast<float>(i);
      std::memcpy(data.data() + 4 * i, &value, 4);
    }
    return raw(name, "F32", shape, data);
  }
  SafetensorsBytes& raw(const std::string& name, const std::string& dtype,
                        const std::vector<int64_t>& shape, const std::string& data) {
    header[name] = {{"dtype", dtype},
                    {"shape", shape},
                    {"data_offsets", {data_.size(), data_.size() + data.size()}}};
    data_ += data;
    return *this;
  }
  std::string build() const { return safetensors_file(header.dump(), data_); }

  nlohmann::json header = nlohmann::json::object();

 private:
  std::string data_;
};

// A folder whose texts and one file of weights lie here.
struct HfMemory {
  nlohmann::json config;
  SafetensorsBytes weights;
  std::string tokenizer;
  std::string tokenizer_config;

  // Into a heap block of exactly its size, so that a sanitizer sees every read beyond it.
  model::ModelFile open() {
    const std::string content = weights.build();
    const auto* p = reinterpret_cast<const std::byte*>(content.data());
    bytes_.assign(p, p + content.size());
    config_ = config.dump();
    return model::parse_hf(
        {"folder", config_, {tokenizer, tokenizer_config, {}}, {{"folder/w", bytes_, {}}}});
  }

 private:
  std::vector<std::byte> bytes_;
  std::string config_;
};

// config.json of a model with one layer of 2 heads of width 4.
inline nlohmann::json small_config(const std::string& model_type) {
  return {{"model_type", model_type},     {"vocab_size", 6},        {"hidden_size", 8},
          {"intermediate_size", 12},      {"num_hidden_layers", 1}, {"num_attention_heads", 2},
          {"max_position_embeddings", 64}};
}

}  // namespace tests
