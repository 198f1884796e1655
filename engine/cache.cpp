#include "engine/cache.h"

#include <fmt/format.h>

#include "engine/trace/machine_memory.h"
#include "model/error.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;

void require_context(const model::Config& c, int64_t wanted) {
  if (wanted >= 1 && wanted <= c.n_ctx) return;
  throw Error(ExitCode::kUsage, fmt::format("a context of {} tokens is not possible", wanted), "-c",
              fmt::format("the model was trained for {} tokens", c.n_ctx));
}

model::KvCache make_cache(const model::Config& c, int64_t positions, model::CacheType type) {
  const double needed = static_cast<double>(c.n_layer * c.cached_width() / c.head_dim) *
                        static_cast<double>(model::KvCache::slot_bytes_of(type, c.head_dim)) *
                        static_cast<double>(positions);
  const auto there = static_cast<double>(trace::machine_memory());
  if (needed > there) {
    throw Error(
        ExitCode::kUsage,
        fmt::format("keys and values of {} positions take {:.1f} GB, of {:.1f} GB of memory",
                    positions, needed / 1e9, there / 1e9),
        "the context", "a shorter one needs less: -c, or fewer tokens");
  }
  return {c, positions, type};
}

}  // namespace engine
