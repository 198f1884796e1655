#include "engine/commands/eval.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <thread>
#include <vector>

#include "model/error.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/checkpoint.h"
#include "model/train/corpus.h"
#include "model/train/trainer.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Weights are widened to float32 here.
void require_memory(const model::ModelFile& file) {
  double needed = 0.0;
  for (const model::Tensor& tensor : file.tensors()) {
    needed += static_cast<double>(tensor.elements()) * sizeof(float);
  }
  const double there =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  if (needed > 0.8 * there) {
    throw Error(ExitCode::kFailed,
                fmt::format("needs {:.0f} MB of memory as float32, of {:.0f} MB", needed / 1e6,
                            there / 1e6),
                file.name());
  }
}

}  // namespace

int eval(const EvalOptions& options) {
  const std::string text = model::train::read_text(options.text);
  const model::ModelFile file = open_model_file(options.model);
  require_memory(file);
  const model::train::Parameters weights = model::train::load_gguf(file);
  const std::vector<int32_t> tokens = model::make_tokenizer(file)->encode(text);
  const int64_t longest = weights.config().n_ctx;
  if (options.window < 1 || options.window > longest) {
    throw Error(ExitCode::kUsage, fmt::format("must lie between 1 and the model's {}", longest),
                "--window");
  }
  if (static_cast<int64_t>(tokens.size()) <= options.window) {
    throw Error(ExitCode::kFailed,
                fmt::format("has only {} tokens, too few for a window of {}", tokens.size(),
                            options.window),
                options.text, "a longer text, or a smaller --window");
  }
  for (const int32_t id : tokens) {
    if (id < 0 || id >= weights.config().n_vocab) {
      throw Error(ExitCode::kBadModel,
                  fmt::format("its tokenizer makes token {}, of {}", id, weights.config().n_vocab),
                  file.name());
    }
  }
  const int threads = options.threads > 0
                          ? std::min(options.threads, 256)
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  model::ThreadPool pool(threads);
  auto workspaces = model::train::make_workspaces(weights.config(), options.window, threads);
  const model::train::Evaluation result =
      model::train::evaluate(weights.weights(), tokens, options.window, pool, workspaces);
  const double perplexity = std::exp(result.loss);
  const std::string line =
      options.json ? fmt::format(R"({{"loss":{:.6f},"perplexity":{:.6f},"tokens":{}}})",
                                 result.loss, perplexity, result.tokens)
                   : fmt::format("loss {:.4f} nats a token, perplexity {:.4f}, {} tokens",
                                 result.loss, perplexity, result.tokens);
  if (std::printf("%s\n", line.c_str()) < 0 || std::fflush(stdout) != 0) {
    throw Error(ExitCode::kFailed, "cannot write the result", "stdout");
  }
  return 0;
}

}  // namespace engine::commands
