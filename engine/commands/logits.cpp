#include "engine/commands/logits.h"

#include <algorithm>
#include <vector>

#include "engine/cache.h"
#include "engine/commands/passes.h"
#include "engine/interventions.h"
#include "engine/threads.h"
#include "model/format/npy.h"

namespace engine::commands {

int logits(const LogitsOptions& options) {
  LoadedModel model(options.model, thread_count(options.threads));
  const std::vector<int32_t> tokens = tokens_of(model, options.input);
  const auto muted = mutes_of(options.input.muted, model.network->config());
  const auto positions = static_cast<int64_t>(tokens.size());
  const int64_t n_vocab = model.network->config().n_vocab;
  model::KvCache cache = make_cache(model.network->config(), capacity_of(options.input, tokens));
  require_memory(positions * n_vocab, "the logits of all positions", "read fewer tokens");
  std::vector<float> all(static_cast<size_t>(positions * n_vocab));
  run_logits(model, tokens, 0, cache, muted, [&](int64_t position, const float* rows, int64_t n) {
    std::copy(rows, rows + n * n_vocab, all.begin() + position * n_vocab);
  });
  model::write_npy(options.output, all, {positions, n_vocab});
  return 0;
}

}  // namespace engine::commands
