#include "model/train/parameters.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "model/train/random.h"

namespace model::train {

int64_t Parameters::count(const Config& config) {
  LlamaWeights<int> shape;
  shape.layers.resize(static_cast<size_t>(config.n_layer));
  int64_t total = 0;
  for_each_tensor(shape, config, [&](int, const std::string&, int64_t rows, int64_t cols) {
    total += rows * cols;
  });
  return total;
}

Parameters::Parameters(const Config& config) : config_(config) {
  values_.resize(static_cast<size_t>(count(config)));
  bind();
}

Parameters::Parameters(const Parameters& other) : config_(other.config_), values_(other.values_) {
  bind();
}

Parameters& Parameters::operator=(const Parameters& other) {
  if (this != &other) *this = Parameters(other);
  return *this;
}

void Parameters::bind() {
  weights_.layers.assign(static_cast<size_t>(config_.n_layer), {});
  float* next = values_.data();
  for_each_tensor(weights_, config_,
                  [&](Matrix& tensor, const std::string&, int64_t rows, int64_t cols) {
                    tensor = {next, rows, cols};
                    next += rows * cols;
                  });
}

void Parameters::initialise(uint64_t seed) {
  const float residual = 1.0F / std::sqrt(2.0F * static_cast<float>(config_.n_layer));
  uint64_t number = 0;
  for_each_tensor(weights_, config_,
                  [&](Matrix& tensor, const std::string& name, int64_t rows, int64_t) {
                    const uint64_t key = mix(seed, ++number);
                    float deviation = 0.02F;
                    if (name.find("attn_output") != std::string::npos ||
                        name.find("ffn_down") != std::string::npos) {
                      deviation *= residual;
                    }
                    for (int64_t i = 0; i < tensor.size(); ++i) {
                      tensor.data[i] =
                          rows == 1 ? 1.0F : deviation * normal(mix(key, static_cast<uint64_t>(i)));
                    }
                  });
}

}  // namespace model::train
