// Forward passes over many positions, as the commands need them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/loaded_model.h"
#include "model/kv_cache.h"
#include "model/mute.h"

namespace engine::commands {

// Runs positions first .. first + ids.size() - 1 and hands over their logits in order, a few
// rows at a time: got(position of the first row, rows, n), n rows of V values, good until got
// returns. muted: as in Model::forward(). Throws Error (bad_model) for logits that are no finite
// numbers.
using GotLogits = std::function<void(int64_t position, const float* rows, int64_t n)>;
void run_logits(LoadedModel& model, std::span<const int32_t> ids, int64_t first,
                model::KvCache& cache, std::span<const model::Mute> muted, const GotLogits& got);

// The same for their keys and values alone.
void run_silently(LoadedModel& model, std::span<const int32_t> ids, int64_t first,
                  model::KvCache& cache, std::span<const model::Mute> muted);

}  // namespace engine::commands
