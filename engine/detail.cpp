#include "engine/detail.h"

#include <algorithm>
#include <numeric>

namespace engine {

uint32_t buckets_of_mixture(int64_t neurons, int64_t of_expert, int64_t shared) noexcept {
  const int64_t whole = std::gcd(of_expert, shared);
  const bool single = neurons <= Detail::kBuckets;
  const int64_t of = !single && whole % model::kCellWidth == 0 ? model::kCellWidth : 1;
  int64_t cell = std::max<int64_t>(neurons / Detail::kBuckets, 1);
  while (cell < whole &&
         (whole % cell != 0 || cell % of != 0 || neurons / cell > Detail::kBuckets)) {
    ++cell;
  }
  return static_cast<uint32_t>(neurons / std::min(cell, whole));
}

Detail::Detail(const model::Config& config, trace::Level level) noexcept {
  constexpr int64_t kSmall = int64_t{1} << 20;
  const int64_t neurons_of_layer = config.neurons();
  const bool mixture = config.n_expert > 0;
  const uint32_t of_mixture =
      mixture ? buckets_of_mixture(neurons_of_layer, config.n_ff, config.n_ff_shared) : 0;
  // Of the last block, where it is not whole, the neurons would lie in other cells.
  const bool whole = mixture ? model::has_whole_cells(config) &&
                                   neurons_of_layer / of_mixture % model::kCellWidth == 0
                             : neurons_of_layer % model::kCellWidth == 0;
  all_neurons = level == trace::Level::kFull || !whole ||
                config.n_layer * neurons_of_layer * config.n_embd <= kSmall;
  const int64_t together = neurons_of_layer / model::kCellWidth;
  buckets = mixture ? of_mixture
                    : static_cast<uint32_t>(
                          all_neurons ? std::min<int64_t>(neurons_of_layer, kBuckets) : together);
  neurons = static_cast<uint32_t>(level == trace::Level::kFull
                                      ? neurons_of_layer
                                      : std::min<int64_t>(neurons_of_layer, kNeurons));
}

}  // namespace engine
