#include "engine/commands/bench.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/commands/gguf_layout.h"
#include "engine/commands/memory_speed.h"
#include "engine/session.h"
#include "engine/threads.h"
#include "model/error.h"

namespace engine::commands {

namespace {

// What a viewer that keeps up leaves in memory.
constexpr uint64_t kDetailBytes = uint64_t{32} << 20;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

struct Measured {
  std::vector<double> prompt_s, generation_s;  // the whole prompt; one token
  uint64_t trace_bytes_per_token = 0;
  uint32_t prompt_passes = 1;  // over the weights
};

uint64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

// Detail that the last forward step added to the log.
uint64_t detail_of_last_step(trace::Log& log) {
  trace::Cursor cursor(log);
  uint64_t bytes = 0;
  uint64_t of_step = 0;
  for (trace::Message message; cursor.next(message);) {
    if (trace::is_detail(message.topic)) bytes += message.payload.size();
    if (message.topic == trace::Topic::kStep) of_step = std::exchange(bytes, 0);
  }
  return of_step;
}

// One conversation: the prompt, then `generate` tokens.
void measure(LoadedModel& model, const std::vector<int32_t>& prompt, uint32_t generate,
             const SessionOptions& options, Measured& result) {
  trace::Log log(kDetailBytes);
  Session session(model, log, options);
  session.start(prompt, generate, {0.0F, 0, 1.0F, 1});
  const auto begin = std::chrono::steady_clock::now();
  result.prompt_passes = 1;
  session.step([&] {
    ++result.prompt_passes;
    return true;
  });
  result.prompt_s.push_back(seconds_since(begin));
  const auto begin_generation = std::chrono::steady_clock::now();
  size_t generated = 0;
  for (; !session.finished(); ++generated) session.step();
  result.generation_s.push_back(seconds_since(begin_generation) / static_cast<double>(generated));
  result.trace_bytes_per_token = detail_of_last_step(log);
}

uint64_t unembedding_bytes(const model::ModelFile& file) {
  const model::Tensor* output = file.find_tensor("output.weight");
  if (output == nullptr) output = file.find_tensor("token_embd.weight");
  return output != nullptr ? output->bytes() : 0;
}

nlohmann::ordered_json summary(const Measured& measured, const BenchOptions& options,
                               uint64_t weight_bytes, uint64_t unembedding) {
  const double prompt_s = median(measured.prompt_s);
  const double rate = measured.generation_s.empty() ? 0.0 : 1.0 / median(measured.generation_s);
  const auto bytes = static_cast<double>(weight_bytes);
  // Only the last pass of a prompt has logits.
  const uint64_t of_prompt = (weight_bytes - unembedding) * measured.prompt_passes + unembedding;
  return {{"prompt_tokens_per_s", options.prompt / prompt_s},
          {"generation_tokens_per_s", rate},
          {"first_token_ms", prompt_s * 1e3},
          {"trace_bytes_per_token", measured.trace_bytes_per_token},
          {"weight_bytes_per_s", bytes * rate},
          {"prompt_weight_bytes_per_s", static_cast<double>(of_prompt) / prompt_s}};
}

void print_table(const nlohmann::ordered_json& json, const BenchOptions& options) {
  const double memory = json["memory_bytes_per_s"].get<double>();
  fmt::print("{}: {} threads, {} tokens of prompt, {} generated, medians of {}\n",
             json["model"].get<std::string>(), json["threads"].get<int>(), options.prompt,
             options.generate, options.repeats);
  fmt::print(
      "{:.1f} MB of weights a token; memory reads {:.1f} GB/s; loaded in {:.0f} ms; "
      "at most {:.0f} MB resident\n",
      json["weight_bytes"].get<double>() / 1e6, memory / 1e9, json["load_ms"].get<double>(),
      json["peak_bytes"].get<double>() / 1e6);
  const auto of_memory = [&](double bytes_per_s) {
    return fmt::format("{:.1f}, {:.0f} %", bytes_per_s / 1e9, 100.0 * bytes_per_s / memory);
  };
  constexpr const char* kSpeed = "GB/s, of memory";
  fmt::print("{:<6}{:>16}{:>17}{:>13}{:>17}{:>8}{:>16}{:>19}\n", "taps", "prompt tokens/s", kSpeed,
             "generated/s", kSpeed, "to off", "first token ms", "trace bytes/token");
  for (const trace::Level level : options.levels) {
    const auto& row = json[trace::level_name(level)];
    const double rate = row["generation_tokens_per_s"].get<double>();
    fmt::print(
        "{:<6}{:>16.1f}{:>17}{:>13.1f}{:>17}{:>8}{:>16.2f}{:>19.0f}\n", trace::level_name(level),
        row["prompt_tokens_per_s"].get<double>(),
        of_memory(row["prompt_weight_bytes_per_s"].get<double>()), rate,
        of_memory(row["weight_bytes_per_s"].get<double>()),
        json.contains("off")
            ? fmt::format("{:.2f}", rate / json["off"]["generation_tokens_per_s"].get<double>())
            : "-",
        row["first_token_ms"].get<double>(), row["trace_bytes_per_token"].get<double>());
  }
}

}  // namespace

uint64_t weight_bytes_per_token(const model::ModelFile& file) {
  const std::string arch = file.get_string("general.architecture");
  const int64_t experts = file.get_int(arch + ".expert_count", 0, 1 << 20, 0);
  const int64_t used = file.get_int(arch + ".expert_used_count", 0, 1 << 20, experts);
  const bool tied = file.find_tensor("output.weight") == nullptr;
  uint64_t total = 0;
  uint64_t of_experts = 0;  // of all of them
  for (const model::Tensor& tensor : file.tensors()) {
    const bool table =
        tensor.name == "position_embd.weight" || (tensor.name == "token_embd.weight" && !tied);
    if (table) {
      total += tensor.row_bytes();
    } else if (experts > 0 && (tensor.name.find("_exps.") != std::string::npos ||
                               !stack_of(tensor.name).empty())) {
      of_experts += tensor.bytes();
    } else {
      total += tensor.bytes();
    }
  }
  if (of_experts > 0)
    total += of_experts / static_cast<uint64_t>(experts) * static_cast<uint64_t>(used);
  return total;
}

int bench(const BenchOptions& options) {
  const int threads = thread_count(options.threads);
  const auto begin_load = std::chrono::steady_clock::now();
  LoadedModel model(options.model, threads);
  const double load_ms = seconds_since(begin_load) * 1e3;
  const model::Config& c = model.network->config();
  if (options.prompt < 1 || options.generate < 1 || options.repeats < 1 ||
      int64_t{options.prompt} + int64_t{options.generate} > c.n_ctx) {
    throw fulgurite::Error(
        fulgurite::ExitCode::kUsage,
        fmt::format("-p and -n must be at least 1 and together at most {}", c.n_ctx), "bench");
  }
  std::vector<int32_t> prompt;
  for (uint32_t i = 0; i < options.prompt; ++i) {
    prompt.push_back(
        static_cast<int32_t>((97 + uint64_t{i} * 31) % static_cast<uint64_t>(c.n_vocab)));
  }
  const uint64_t weight_bytes = weight_bytes_per_token(model.file);

  // A whole conversation first: pages and clocks would burden the first level alone.
  Measured warm_up;
  SessionOptions session{int64_t{options.prompt} + options.generate, options.levels[0],
                         options.cache, true};
  measure(model, prompt, options.generate, session, warm_up);
  std::vector<Measured> results(options.levels.size());
  for (uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
    for (size_t i = 0; i < options.levels.size(); ++i) {
      session.level = options.levels[i];
      measure(model, prompt, options.generate, session, results[i]);
    }
  }

  nlohmann::ordered_json json = {{"model", model.file.name()},
                                 {"parameters", model.parameters},
                                 {"threads", threads},
                                 {"load_ms", load_ms},
                                 {"peak_bytes", peak_bytes()},
                                 {"weight_bytes", weight_bytes},
                                 {"memory_bytes_per_s", memory_bytes_per_s(threads)}};
  for (size_t i = 0; i < options.levels.size(); ++i) {
    nlohmann::ordered_json level =
        summary(results[i], options, weight_bytes, unembedding_bytes(model.file));
    // Of the whole run, so that a level can be read by itself.
    for (const char* name : {"load_ms", "peak_bytes"}) level[name] = json[name];
    json[trace::level_name(options.levels[i])] = std::move(level);
  }
  if (options.json) {
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    print_table(json, options);
  }
  return 0;
}

}  // namespace engine::commands
