#include "engine/commands/readings.h"

#include <cstdint>
#include <iostream>
#include <memory>
#include <vector>

#include "engine/commands/explain.h"
#include "engine/commands/logits.h"
#include "engine/commands/tap.h"

namespace engine::commands {

namespace {

constexpr int64_t kMostPositions = int64_t{1} << 24;

// What every command of this file is given.
struct Given {
  Flags& flags;
  std::span<const std::byte> builtin;
  std::vector<int64_t> ids;

  ModelSource model() const { return {flags.model, builtin}; }
  TokenInput input() const { return {ids, prompt_of(flags), flags.muted, flags.context}; }
};

CLI::Option* add_output(CLI::App& app, std::string& output, const char* what) {
  return app.add_option("-o,--out,--output", output, what)->required();
}

// Where a question about the next token is asked, and about which.
void add_question(CLI::App& app, ExplainOptions& options, Given& given) {
  add_tokens(app, given.flags, given.ids);
  app.add_option("--position", options.position,
                 "asks what follows this one, counted from 0; else the last one")
      ->check(CLI::Range(int64_t{0}, kMostPositions));
  app.add_option("--token", options.token,
                 "asks about this one: its text, or # and its id; else the one that follows, after "
                 "the end the most probable");
  app.add_flag("--json", options.json, "as JSON");
}

ExplainOptions question_of(const ExplainOptions& asked, const Given& given) {
  ExplainOptions options = asked;
  options.model = given.model();
  options.input = given.input();
  options.threads = given.flags.threads;
  return options;
}

}  // namespace

void add_readings(const std::function<CLI::App&(const char* name, const char* what)>& add,
                  Flags& flags, std::span<const std::byte> builtin, int& exit_code) {
  const auto given = std::make_shared<Given>(Given{flags, builtin, {}});

  const auto logits = std::make_shared<LogitsOptions>();
  CLI::App& predict = add("logits", "write the logits of every position as a NumPy file");
  add_tokens(predict, flags, given->ids);
  add_output(predict, logits->output, "float32 (.npy): (positions, V); - is stdout");
  predict.callback([given, logits, &exit_code] {
    refuse_same_file(logits->output, {given->flags.model, given->flags.prompt_file});
    logits->model = given->model();
    logits->input = given->input();
    logits->threads = given->flags.threads;
    exit_code = commands::logits(*logits);
  });

  const auto taps = std::make_shared<TapsOptions>();
  CLI::App& list = add("taps", "list a model's intermediates: names, shapes, formulas");
  add_model(list, flags);
  list.add_flag("--json", taps->json, "as JSON");
  list.callback([given, taps, &exit_code] {
    taps->model = given->model();
    taps->threads = given->flags.threads;
    exit_code = commands::taps(*taps, std::cout);
  });

  const auto tap = std::make_shared<TapOptions>();
  CLI::App& tapper = add("tap", "write one intermediate of every position as a NumPy file");
  add_tokens(tapper, flags, given->ids);
  tapper.add_option("--name", tap->name, "which one, as `fulgurite taps` lists it")->required();
  add_output(tapper, tap->output,
             "float32 (.npy): (positions, rows, columns), vectors without rows; - is stdout");
  tapper
      .add_option("--position", tap->position,
                  "only this one, from 0, without an axis of positions")
      ->check(CLI::Range(int64_t{0}, kMostPositions));
  tapper.callback([given, tap, &exit_code] {
    refuse_same_file(tap->output, {given->flags.model, given->flags.prompt_file});
    tap->model = given->model();
    tap->input = given->input();
    tap->threads = given->flags.threads;
    exit_code = commands::tap(*tap);
  });

  const auto lens = std::make_shared<ExplainOptions>();
  lens->top = 5;
  CLI::App& reader = add("lens", "say what the model would answer behind each of its layers");
  add_question(reader, *lens, *given);
  reader.add_option("--top", lens->top, "candidates told of each layer")
      ->check(CLI::Range(1U, 1U << 24))
      ->capture_default_str();
  reader.callback([given, lens, &exit_code] {
    exit_code = commands::lens(question_of(*lens, *given), std::cout);
  });

  const auto why = std::make_shared<ExplainOptions>();
  why->top = 12;
  CLI::App& explainer =
      add("attribution", "say what each part of the model added to a token's logit");
  add_question(explainer, *why, *given);
  explainer.add_option("--against", why->against,
                       "a token: what makes the difference between both logits");
  explainer.add_option("--top", why->top, "how many parts, and how many neurons, are listed")
      ->check(CLI::Range(1U, 1U << 24))
      ->capture_default_str();
  explainer.callback([given, why, &exit_code] {
    exit_code = commands::attribution(question_of(*why, *given), std::cout);
  });
}

}  // namespace engine::commands
