// How much of a pass the trace keeps.
#pragma once

#include <cstdint>

#include "engine/trace/schema.h"
#include "model/config.h"
#include "model/tap.h"

namespace engine {

// How much of each list is kept at a level.
struct Detail {
  static constexpr uint32_t kReads = 16;                       // KV reads a head, live
  static constexpr uint32_t kNeurons = model::kChosenNeurons;  // neurons a layer, live
  static constexpr uint32_t kCandidates = 24;                  // at the crown
  static constexpr uint32_t kBuckets = 512;                    // cells of an FFN plate, at most

  Detail(const model::Config& config, trace::Level level) noexcept;

  // Every neuron's share is gathered: at full detail, and live where neurons do not come in whole
  // blocks of 32 (of a mixture's plates: its cells), and in a model so small (a million weights in
  // all W_down) that nobody sees the difference. Else 32 neurons' together.
  bool all_neurons;
  uint32_t buckets;  // cells of an FFN plate: neuron n lies in cell n * buckets / N
  uint32_t neurons;  // listed of a layer
};

// Cells of a mixture's plates: no cell holds neurons of two experts, and where it can be there are
// no more than Detail::kBuckets, of single neurons or else of whole blocks of 32.
uint32_t buckets_of_mixture(int64_t neurons, int64_t of_expert, int64_t shared) noexcept;

}  // namespace engine
