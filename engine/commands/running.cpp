#include "engine/commands/running.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "engine/commands/bench.h"
#include "engine/commands/eval.h"
#include "engine/commands/run.h"
#include "engine/commands/tokenize.h"
#include "engine/commands/train.h"
#include "model/error.h"

namespace engine::commands {

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

// What every command of this file is given.
struct Given {
  CLI::App& app;
  Flags& flags;
  std::span<const std::byte> builtin;
  int& exit_code;

  ModelSource model() const { return {flags.model, builtin}; }
};

void add_run(const Given& given) {
  const auto options = std::make_shared<RunOptions>();
  add_generation(given.app, given.flags);
  add_serve(given.app, given.flags);
  given.app.add_flag("--json", options->json, "one JSON object a token instead of text");
  auto* logprobs = given.app
                       .add_option("--logprobs", options->logprobs,
                                   "candidates told of each token, with --json, which it implies")
                       ->check(CLI::Range(0U, 1U << 24))
                       ->capture_default_str();
  given.app.callback([given, options, logprobs] {
    const Flags& flags = given.flags;
    refuse_same_file(flags.trace_path, {flags.model, flags.prompt_file});
    options->model = given.model();
    options->generate = generate_of(flags);
    options->session = session_of(flags);
    options->trace_path = flags.trace_path;
    options->serve = flags.serve;
    options->threads = flags.threads;
    if (flags.lens && flags.trace_path.empty() && flags.serve.empty()) {
      throw Error(ExitCode::kUsage, "has nothing to write to", "--lens",
                  "add --trace FILE or --serve ADDRESS");
    }
    if (logprobs->count() > 0) options->json = true;
    given.exit_code = run(*options);
  });
}

void add_train(const Given& given) {
  const auto options = std::make_shared<TrainOptions>();
  add_training(given.app, *options);
  given.app.callback([given, options] {
    refuse_same_file(options->log,
                     {options->text, options->output, options->output + ".state", options->resume});
    refuse_same_outputs({options->output, options->log});
    given.exit_code = train(*options);
  });
}

void add_eval(const Given& given) {
  const auto options = std::make_shared<EvalOptions>();
  add_model(given.app, given.flags);
  add_cache_type(given.app, given.flags);
  add_evaluation(given.app, *options);
  given.app.callback([given, options] {
    options->model = given.model();
    options->threads = given.flags.threads;
    options->cache = cache_of(given.flags);
    given.exit_code = eval(*options);
  });
}

void add_tokenize(const Given& given) {
  const auto options = std::make_shared<TokenizeOptions>();
  const auto plain = std::make_shared<bool>(false);
  given.app.add_option("-m,--model", given.flags.model,
                       "model file; without it, the built-in model");
  auto* text = given.app.add_option("-p,--prompt", options->text, "the text");
  auto* file = given.app
                   .add_option("-f,--file", options->file,
                               "file that holds the text, to its last byte; - is stdin")
                   ->excludes(text);
  given.app.add_flag("--no-special", *plain,
                     "add no BOS or EOS and take the names of special tokens for text");
  given.app.add_flag("--json", options->json, "as JSON: ids and pieces");
  given.app.callback([given, options, plain, text, file] {
    if (text->count() + file->count() == 0) {
      throw Error(ExitCode::kUsage, "there is no text to tokenize", "", "-p TEXT, -f FILE or -f -");
    }
    options->model = given.model();
    options->special = !*plain;
    given.exit_code = tokenize(*options, std::cout);
  });
}

void add_bench(const Given& given) {
  const auto options = std::make_shared<BenchOptions>();
  const auto levels =
      std::make_shared<std::vector<std::string>>(std::vector<std::string>{"off", "live", "full"});
  add_model(given.app, given.flags);
  add_cache_type(given.app, given.flags);
  given.app.add_option("-p,--prompt", options->prompt, "tokens of the prompt")
      ->capture_default_str();
  given.app.add_option("-n,--predict", options->generate, "tokens to generate")
      ->capture_default_str();
  given.app.add_option("-r,--repetitions,--repeats", options->repeats, "the median is printed")
      ->check(CLI::Range(1U, 10000U))
      ->capture_default_str();
  given.app.add_option("--taps", *levels, "off,live,full")
      ->delimiter(',')
      ->check(CLI::IsMember(*levels));
  given.app.add_flag("--json", options->json, "as JSON");
  given.app.callback([given, options, levels] {
    options->model = given.model();
    options->threads = given.flags.threads;
    options->cache = cache_of(given.flags);
    options->levels.clear();
    for (const std::string& name : *levels) options->levels.push_back(level_of(name));
    given.exit_code = bench(*options);
  });
}

}  // namespace

void add_running(const std::function<CLI::App&(const char* name, const char* what)>& add,
                 Flags& flags, std::span<const std::byte> builtin, int& exit_code) {
  const auto given = [&](const char* name, const char* what) {
    return Given{add(name, what), flags, builtin, exit_code};
  };
  add_run(given("run", "generate text to stdout"));
  add_train(given("train", "train a model on a text"));
  add_eval(given("eval", "measure how well a model predicts a text"));
  add_tokenize(given("tokenize", "show the tokens that a model makes of a text"));
  add_bench(given("bench", "measure the speed of generation with the taps off, live and full"));
}

}  // namespace engine::commands
