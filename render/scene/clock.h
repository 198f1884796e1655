// The step's clock. The playhead counts forward steps: step s is in flight while
// s <= playhead < s + 1. A step is cut into phases in fixed proportions, so that every
// operation has an instant, and the picture is a function of the playhead alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace scene {

enum class Phase : uint8_t { kEmbed, kRead, kWrite, kFfn, kCrown, kFall };

constexpr const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::kEmbed:
      return "its embedding enters the residual stream";
    case Phase::kRead:
      return "heads read the KV cache";
    case Phase::kWrite:
      return "heads add to the residual stream";
    case Phase::kFfn:
      return "FFN neurons add to the residual stream";
    case Phase::kCrown:
      return "the candidates for the next token";
    case Phase::kFall:
      return "the drawn token falls to the tape";
  }
  return "";
}

// What is in flight; layer only means something in the phases of a layer.
struct Operation {
  Phase phase = Phase::kEmbed;
  uint32_t layer = 0;
  bool operator==(const Operation&) const = default;
};

class Clock {
 public:
  explicit Clock(uint32_t layers)
      : span_((kCrown - kLayers) / static_cast<float>(layers)), layers_(layers) {}

  static constexpr float kLayers = 0.06F;  // embed before this
  static constexpr float kCrown = 0.76F;   // the layers before this
  static constexpr float kBars = 0.79F;    // the bolts of the crown are there, the bars stand
  static constexpr float kFall = 0.88F;    // the chosen token falls back to the tape

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

  // The operations of a step in order: embed, three a layer, crown, fall.
  uint32_t operations() const { return 3 * layers_ + 3; }
  Operation operation(uint32_t index) const {
    if (index == 0) return {Phase::kEmbed, 0};
    if (index == operations() - 2) return {Phase::kCrown, layers_};
    if (index >= operations() - 1) return {Phase::kFall, layers_};
    constexpr Phase kPhases[] = {Phase::kRead, Phase::kWrite, Phase::kFfn};
    return {kPhases[(index - 1) % 3], (index - 1) / 3};
  }
  // The share of the step at which an operation begins; 1 for operations().
  float begin(uint32_t index) const {
    if (index >= operations()) return 1.0F;
    const Operation at = operation(index);
    switch (at.phase) {
      case Phase::kEmbed:
        return 0.0F;
      case Phase::kRead:
        return in_layer(at.layer, kRead);
      case Phase::kWrite:
        return in_layer(at.layer, kWrite);
      case Phase::kFfn:
        return in_layer(at.layer, kFfn);
      case Phase::kCrown:
        return kCrown;
      case Phase::kFall:
        return kFall;
    }
    return 1.0F;
  }
  // Which operation is in flight at this share of a step.
  uint32_t operation_at(float share) const {
    uint32_t low = 0;
    for (uint32_t high = operations(); high - low > 1;) {
      const uint32_t middle = (low + high) / 2;
      (begin(middle) <= share ? low : high) = middle;
    }
    return low;
  }
  // Where stepping stops: the bolts of the operation have arrived and are still bright.
  float stop(uint32_t index) const {
    return begin(index) + 0.97F * (begin(index + 1) - begin(index));
  }

 private:
  float span_;
  uint32_t layers_;
};

// Which steps are in flight and how far they are, when `merge` of them are shown as one climb.
struct Moment {
  uint64_t first = 0;  // of the climb
  uint64_t last = 0;   // the newest step in it: the one whose words and numbers are shown
  float share = 0.0F;  // of the climb, 0..1; 1 only at the very end
};

inline Moment moment_of(double playhead, double merge, uint64_t steps) {
  Moment m;
  if (steps == 0) return m;
  merge = std::max(merge, 1.0);
  const double end = static_cast<double>(steps);
  const double at = std::clamp(playhead, 0.0, end);
  const double group = std::min(std::floor(at / merge), std::ceil(end / merge) - 1.0);
  // Steps whose middle lies in the group, as shaders::climb_of() has it.
  const double slack = 0.5 + 2e-5 * merge;
  const double first = std::ceil(group * merge - slack);
  const double after = std::ceil((group + 1.0) * merge - slack);
  m.first = static_cast<uint64_t>(std::clamp(first, 0.0, end - 1.0));
  m.last = static_cast<uint64_t>(std::clamp(after - 1.0, first < 0.0 ? 0.0 : first, end - 1.0));
  m.share = static_cast<float>(std::clamp(at / merge - group, 0.0, 1.0));
  return m;
}

// The step whose bars stand at the crown: until the next ones rise they are the last climb's.
inline std::optional<uint64_t> crown_of(const Moment& m) {
  if (m.share >= Clock::kBars) return m.last;
  return m.first > 0 ? std::optional(m.first - 1) : std::nullopt;
}

}  // namespace scene
