// The cache of a text that is going to be run.
#pragma once

#include "model/kv_cache.h"

namespace engine {

// Throws Error (usage) where the model cannot have so long a context.
void require_context(const model::Config& c, int64_t wanted);

// For so many positions. Throws Error (usage) where it would take more memory than there is: of
// what is not touched yet the system gives more than it has. Else as KvCache.
model::KvCache make_cache(const model::Config& c, int64_t positions,
                          model::CacheType type = model::CacheType::kF32);

}  // namespace engine
