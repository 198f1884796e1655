#include "engine/commands/passes.h"

#include <vector>

#include "engine/sampler.h"

namespace engine::commands {

void run_logits(LoadedModel& model, std::span<const int32_t> ids, int64_t first,
                model::KvCache& cache, const GotLogits& got) {
  std::vector<float> row(static_cast<size_t>(model.network->config().n_vocab));
  for (size_t i = 0; i < ids.size(); ++i) {
    const int64_t position = first + static_cast<int64_t>(i);
    model.network->forward(ids[i], position, cache, row.data(), nullptr);
    require_finite(row, position);
    got(position, row.data(), 1);
  }
}

void run_silently(LoadedModel& model, std::span<const int32_t> ids, int64_t first,
                  model::KvCache& cache) {
  for (size_t i = 0; i < ids.size(); ++i) {
    model.network->forward(ids[i], first + static_cast<int64_t>(i), cache, nullptr, nullptr);
  }
}

}  // namespace engine::commands
