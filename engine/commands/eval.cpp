#include "engine/commands/eval.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "engine/cache.h"
#include "engine/commands/passes.h"
#include "engine/commands/text_file.h"
#include "engine/interventions.h"
#include "engine/softmax.h"
#include "engine/threads.h"
#include "model/error.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Negative log-likelihoods, added up.
struct Score {
  double sum = 0.0;
  double squares = 0.0;
  int64_t tokens = 0;

  void add(std::span<const float> logits, int32_t token) {
    const Softmax s = softmax_of(logits, 1.0F);
    const double nll = std::log(s.sum) + double{s.max} - double{logits[static_cast<size_t>(token)]};
    sum += nll;
    squares += nll * nll;
    ++tokens;
  }
  double loss() const { return sum / static_cast<double>(tokens); }
  // Standard deviation of the mean of independent values, through e^x.
  double perplexity_error() const {
    if (tokens < 2) return 0.0;
    const auto n = static_cast<double>(tokens);
    const double variance = std::max(0.0, squares / n - loss() * loss());
    return std::exp(loss()) * std::sqrt(variance / (n - 1.0));
  }
};

constexpr int64_t kLeastChunk = 4;  // of which half is scored

int64_t choose_window(const EvalOptions& options, const model::Config& c) {
  const int64_t wanted = options.window > 0 ? options.window : options.chunks >= 0 ? 512 : 128;
  const int64_t least = options.chunks >= 0 ? kLeastChunk : 1;
  if (options.window != 0 && (options.window < least || options.window > c.n_ctx)) {
    throw Error(ExitCode::kUsage,
                fmt::format("must lie between {} and the model's {}", least, c.n_ctx),
                "-c or --window");
  }
  return std::min(wanted, c.n_ctx);
}

[[noreturn]] void too_few(const EvalOptions& options, size_t tokens, const std::string& wanted) {
  throw Error(ExitCode::kFailed, fmt::format("has only {} tokens, too few for {}", tokens, wanted),
              options.text, "a longer text, or a smaller --window");
}

using Muted = std::span<const model::Mute>;

// Runs one window and scores what follows its positions from `first` on.
void score_window(LoadedModel& model, model::KvCache& cache, Muted muted,
                  std::span<const int32_t> window, std::span<const int32_t> targets, int64_t first,
                  Score& score) {
  const auto n_vocab = static_cast<size_t>(model.network->config().n_vocab);
  run_silently(model, window.first(static_cast<size_t>(first)), 0, cache, muted);
  run_logits(model, window.subspan(static_cast<size_t>(first)), first, cache, muted,
             [&](int64_t position, const float* rows, int64_t n) {
               for (int64_t i = 0; i < n; ++i) {
                 const auto target = static_cast<size_t>(position + i);
                 if (target >= targets.size()) continue;
                 score.add({rows + static_cast<size_t>(i) * n_vocab, n_vocab}, targets[target]);
               }
             });
}

// On a terminal, of a text that takes long: how far it is and what has come out so far.
void say_progress(size_t done, size_t of, const Score& score) {
  if (isatty(STDERR_FILENO) == 0) return;
  if (done < of) {
    std::fprintf(stderr, "\r\033[K%zu of %zu windows, perplexity %.4f", done, of,
                 std::exp(score.loss()));
  } else {
    std::fputs("\r\033[K", stderr);
  }
  std::fflush(stderr);
}

Score score_windows(LoadedModel& model, const std::vector<int32_t>& tokens,
                    const EvalOptions& options, Muted muted, int64_t window) {
  const auto n = static_cast<size_t>(window);
  if (tokens.size() <= n) too_few(options, tokens.size(), fmt::format("a window of {}", window));
  Score score;
  for (size_t begin = 0; begin + n < tokens.size(); begin += n) {
    model::KvCache cache =
        make_cache(model.network->config(), window, options.cache.value_or(model.cache));
    score_window(model, cache, muted, std::span(tokens).subspan(begin, n),
                 std::span(tokens).subspan(begin + 1, n), 0, score);
    say_progress(begin / n + 1, (tokens.size() - 1) / n, score);
  }
  return score;
}

Score score_chunks(LoadedModel& model, std::vector<int32_t> tokens, const EvalOptions& options,
                   Muted muted, int64_t window) {
  const model::Tokenizer& tokenizer = *model.tokenizer;
  const bool bos = tokenizer.adds_bos() && tokenizer.bos_id() >= 0;
  if (bos) tokens.insert(tokens.begin(), tokenizer.bos_id());
  const auto n = static_cast<size_t>(window);
  if (tokens.size() < 2 * n)
    too_few(options, tokens.size(), fmt::format("two chunks of {}", window));
  size_t chunks = tokens.size() / n;
  if (options.chunks > 0) chunks = std::min(chunks, static_cast<size_t>(options.chunks));
  Score score;
  for (size_t i = 0; i < chunks; ++i) {
    std::vector<int32_t> chunk(tokens.begin() + static_cast<std::ptrdiff_t>(i * n),
                               tokens.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
    if (bos) chunk[0] = tokenizer.bos_id();
    model::KvCache cache =
        make_cache(model.network->config(), window, options.cache.value_or(model.cache));
    score_window(model, cache, muted, chunk, std::span(chunk).subspan(1), window / 2, score);
    say_progress(i + 1, chunks, score);
  }
  return score;
}

}  // namespace

int eval(const EvalOptions& options) {
  const std::string text = read_text_file(options.text);
  if (text.empty()) {
    throw Error(ExitCode::kFailed, "is empty", options.text == "-" ? "stdin" : options.text);
  }
  LoadedModel model(options.model, thread_count(options.threads));
  const model::Config& c = model.network->config();
  const int64_t window = choose_window(options, c);
  std::vector<int32_t> tokens = model.tokenizer->encode(text);
  for (const int32_t id : tokens) {
    if (id < 0 || id >= c.n_vocab) {
      throw Error(ExitCode::kBadModel,
                  fmt::format("its tokenizer makes token {}, of {}", id, c.n_vocab),
                  model.file.name());
    }
  }
  const std::vector<model::Mute> muted = mutes_of(options.muted, c);
  const Score score = options.chunks >= 0
                          ? score_chunks(model, std::move(tokens), options, muted, window)
                          : score_windows(model, tokens, options, muted, window);
  const double loss = score.loss();
  const double error = score.perplexity_error();
  const auto number = [](double value) {  // JSON has no infinity
    return std::isfinite(value) ? fmt::format("{:.6f}", value) : std::string("null");
  };
  const std::string line =
      options.json
          ? fmt::format(R"({{"loss":{},"perplexity":{},"error":{},"tokens":{}}})", number(loss),
                        number(std::exp(loss)), number(error), score.tokens)
          : fmt::format("loss {:.4f} nats a token, perplexity {:.4f} +/- {:.4f}, {} tokens", loss,
                        std::exp(loss), error, score.tokens);
  std::printf("%s\n", line.c_str());
  return 0;
}

}  // namespace engine::commands
