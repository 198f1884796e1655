#include "engine/commands/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/session.h"
#include "model/error.h"

namespace engine::commands {

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Measured {
  std::vector<double> prompt_s, first_token_s, generation_s;
  double trace_bytes_per_token = 0.0;
};

const char* level_name(trace::Level level) {
  return level == trace::Level::kOff ? "off" : level == trace::Level::kLive ? "live" : "full";
}

}  // namespace

int bench(const BenchOptions& options) {
  const auto begin_load = std::chrono::steady_clock::now();
  LoadedModel model(options.model);
  const double load_ms = seconds_since(begin_load) * 1e3;
  const model::Config& c = model.network->config();
  const uint32_t total = options.prompt + options.generate;
  if (options.prompt < 1 || options.generate < 1 || options.repeats < 1 || total > c.n_ctx) {
    throw fulgurite::Error(
        fulgurite::ExitCode::kUsage,
        fmt::format("-p and -n must be at least 1 and together at most {}", c.n_ctx), "bench");
  }
  std::vector<int32_t> prompt;
  for (uint32_t i = 0; i < options.prompt; ++i) {
    prompt.push_back(static_cast<int32_t>((97 + i * 31) % static_cast<uint32_t>(c.n_vocab)));
  }
  uint64_t weight_bytes = 0;
  for (const model::Tensor& tensor : model.file.tensors()) weight_bytes += tensor.bytes();

  std::vector<Measured> results(options.levels.size());
  for (uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
    for (size_t i = 0; i < options.levels.size(); ++i) {
      trace::Log log;
      Session session(model, log, {0, options.levels[i]});
      session.start(prompt, options.generate, {0.0F, 0, 1.0F, 1});
      const auto begin = std::chrono::steady_clock::now();
      session.step();
      results[i].prompt_s.push_back(seconds_since(begin));
      const uint64_t before = log.detail_bytes();
      const auto begin_generation = std::chrono::steady_clock::now();
      size_t generated = 0;
      while (!session.finished()) {
        session.step();
        if (generated++ == 0) results[i].first_token_s.push_back(seconds_since(begin));
      }
      results[i].generation_s.push_back(seconds_since(begin_generation) /
                                        static_cast<double>(std::max<size_t>(generated, 1)));
      results[i].trace_bytes_per_token = static_cast<double>(log.detail_bytes() - before) /
                                         static_cast<double>(std::max<size_t>(generated, 1));
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);

  nlohmann::ordered_json json;
  json["model"] = model.file.name();
  json["parameters"] = model.parameters;
  json["load_ms"] = load_ms;
  json["peak_bytes"] = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  if (!options.json) {
    fmt::print("{:<6}{:>18}{:>18}{:>16}{:>18}{:>18}\n", "taps", "prompt tokens/s", "generated/s",
               "to off", "first token ms", "trace bytes/token");
  }
  const double off =
      options.levels[0] == trace::Level::kOff ? median(results[0].generation_s) : 0.0;
  for (size_t i = 0; i < options.levels.size(); ++i) {
    const char* name = level_name(options.levels[i]);
    const double generation = median(results[i].generation_s);
    const double prompt_rate = options.prompt / median(results[i].prompt_s);
    const double first_ms =
        results[i].first_token_s.empty() ? 0.0 : median(results[i].first_token_s) * 1e3;
    json[name] = {{"prompt_tokens_per_s", prompt_rate},
                  {"generation_tokens_per_s", 1.0 / generation},
                  {"first_token_ms", first_ms},
                  {"trace_bytes_per_token", results[i].trace_bytes_per_token},
                  {"weight_bytes_per_s", static_cast<double>(weight_bytes) / generation}};
    if (options.json) continue;
    fmt::print("{:<6}{:>18.0f}{:>18.0f}{:>16}{:>18.2f}{:>18.0f}\n", name, prompt_rate,
               1.0 / generation, off > 0.0 ? fmt::format("{:.2f}", off / generation) : "-",
               first_ms, results[i].trace_bytes_per_token);
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
  return 0;
}

}  // namespace engine::commands
