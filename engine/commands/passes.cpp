#include "engine/commands/passes.h"

#include <algorithm>
#include <vector>

#include "engine/sampler.h"

namespace engine::commands {

namespace {

// Positions that are run at once, so that their logits take no more than this.
int64_t batch_of(int64_t n_vocab) noexcept {
  constexpr int64_t kLogitBytes = int64_t{32} << 20;
  return std::clamp<int64_t>(kLogitBytes / (n_vocab * int64_t{sizeof(float)}), 1, model::kBatch);
}

}  // namespace

void run_logits(LoadedModel& model, std::span<const int32_t> ids, int64_t first,
                model::KvCache& cache, std::span<const model::Mute> muted, const GotLogits& got) {
  const int64_t n_vocab = model.network->config().n_vocab;
  const auto batch = static_cast<size_t>(batch_of(n_vocab));
  std::vector<float> rows;
  for (; !ids.empty(); ids = ids.subspan(std::min(batch, ids.size()))) {
    const auto now = ids.first(std::min(batch, ids.size()));
    const auto n = static_cast<int64_t>(now.size());
    rows.resize(now.size() * static_cast<size_t>(n_vocab));
    model.network->forward(now, first, cache, rows.data(), n, nullptr, muted);
    for (int64_t i = 0; i < n; ++i) {
      require_finite({rows.data() + i * n_vocab, static_cast<size_t>(n_vocab)}, first + i,
                     cache.is_narrow());
    }
    got(first, rows.data(), n);
    first += n;
  }
}

void run_silently(LoadedModel& model, std::span<const int32_t> ids, int64_t first,
                  model::KvCache& cache, std::span<const model::Mute> muted) {
  for (; !ids.empty(); ids = ids.subspan(std::min<size_t>(model::kBatch, ids.size()))) {
    const auto now = ids.first(std::min<size_t>(model::kBatch, ids.size()));
    model.network->forward(now, first, cache, nullptr, 0, nullptr, muted);
    first += static_cast<int64_t>(now.size());
  }
}

}  // namespace engine::commands
