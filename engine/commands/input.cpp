#include "engine/commands/input.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/cache.h"
#include "engine/trace/machine_memory.h"
#include "model/error.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

std::vector<int32_t> tokens_of(const LoadedModel& model, const TokenInput& input) {
  const model::Config& c = model.network->config();
  std::vector<int32_t> tokens;
  for (const int64_t id : input.ids) {
    if (id < 0 || id >= c.n_vocab) {
      throw Error(ExitCode::kUsage,
                  fmt::format("token {} is not in the vocabulary of {}", id, c.n_vocab), "--tokens",
                  fmt::format("ids run from 0 to {}", c.n_vocab - 1));
    }
    tokens.push_back(static_cast<int32_t>(id));
  }
  if (input.ids.empty()) tokens = encode_beginning(*model.tokenizer, input.text);
  if (tokens.empty()) {
    throw Error(ExitCode::kUsage, "there is no token to read", {}, "name a text or --tokens");
  }
  if (static_cast<int64_t>(tokens.size()) > c.n_ctx) {
    throw Error(
        ExitCode::kUsage,
        fmt::format("{} tokens are more than the model's context of {}", tokens.size(), c.n_ctx),
        model.file.name(), "shorten them");
  }
  if (input.context != 0) require_context(c, input.context);
  if (input.context != 0 && input.context < std::ssize(tokens)) {
    throw Error(
        ExitCode::kUsage,
        fmt::format("{} tokens are more than a context of {}", tokens.size(), input.context), "-c",
        "raise it");
  }
  return tokens;
}

int64_t capacity_of(const TokenInput& input, const std::vector<int32_t>& tokens) noexcept {
  return std::max(input.context, std::ssize(tokens));
}

void require_memory(int64_t floats, const char* of, const char* hint) {
  const auto there = static_cast<double>(trace::machine_memory());
  const double needed = sizeof(float) * static_cast<double>(floats);
  if (needed <= 0.5 * there) return;
  throw Error(ExitCode::kFailed,
              fmt::format("needs {:.0f} MB of memory, of {:.0f} MB", needed / 1e6, there / 1e6), of,
              hint);
}

}  // namespace engine::commands
