// The step's clock. The playhead counts forward steps: step s is in flight while
// s <= playhead < s + 1. A step is cut into phases in fixed proportions, so that every
// operation has an instant, and the picture is a function of the playhead alone.
#pragma once

#include <algorithm>
#include <cstdint>

namespace scene {

class Clock {
 public:
  explicit Clock(uint32_t layers)
      : span_((kCrown - kLayers) / static_cast<float>(layers)), layers_(layers) {}

  static constexpr float kLayers = 0.06F;  // embed before this
  static constexpr float kCrown = 0.80F;   // the layers before this
  static constexpr float kFall = 0.90F;    // the chosen token falls back to the tape

  // Within a layer: reads of the KV cache, writes of the heads, the FFN.
  static constexpr float kRead = 0.0F;
  static constexpr float kWrite = 0.34F;
  static constexpr float kFfn = 0.58F;
  static constexpr float kEnd = 1.0F;

  // The share of the step at which `part` (0..1) of a layer is reached.
  float in_layer(uint32_t layer, float part) const {
    return kLayers + (static_cast<float>(layer) + part) * span_;
  }
  float layer_span() const { return span_; }
  uint32_t layers() const { return layers_; }

  // The layer that is in flight at this share of a step; layers() once past the last.
  uint32_t layer_at(float share) const {
    const float l = (share - kLayers) / span_;
    return l <= 0.0F ? 0 : std::min(static_cast<uint32_t>(l), layers_);
  }

 private:
  float span_;
  uint32_t layers_;
};

}  // namespace scene
