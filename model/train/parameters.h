// The weights of a model in training: one flat float32 array with a named view of every tensor.
// Gradients and the optimiser's moments have the same layout, so that reducing, clipping and
// stepping are loops over one array.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/train/weights.h"

namespace model::train {

// A row-major matrix that someone else owns.
struct Matrix {
  float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;

  int64_t size() const noexcept { return rows * cols; }
};

using Weights = LlamaWeights<Matrix>;

class Parameters {
 public:
  // All zero. The config must be valid (see check_config in model/train/trainer.h).
  explicit Parameters(const Config& config);
  Parameters(const Parameters& other);
  Parameters& operator=(const Parameters& other);
  Parameters(Parameters&&) noexcept = default;
  Parameters& operator=(Parameters&&) noexcept = default;
  ~Parameters() = default;

  const Config& config() const noexcept { return config_; }
  const Weights& weights() const noexcept { return weights_; }
  float* data() noexcept { return values_.data(); }
  const float* data() const noexcept { return values_.data(); }
  int64_t size() const noexcept { return static_cast<int64_t>(values_.size()); }
  void zero() noexcept { values_.assign(values_.size(), 0.0F); }

  // Normal(0, 0.02) from the seed, norms 1; the two projections that write into the residual
  // stream are scaled by 1 / sqrt(2 L) (Radford et al. 2019, section 2.3).
  void initialise(uint64_t seed);

  // Number of elements that a model of this shape has.
  static int64_t count(const Config& config);

 private:
  void bind();

  Config config_;
  std::vector<float> values_;
  Weights weights_;
};

}  // namespace model::train
