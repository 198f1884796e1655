#include "engine/commands/flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <string_view>

#include "engine/commands/text_file.h"
#include "engine/edit_distance.h"
#include "engine/model_name.h"
#include "engine/trace/muted.h"
#include "model/error.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

// A number in [low, high]; CLI::Range lets "nan" through.
CLI::Validator between(double low, double high) {
  const auto check = [low, high](const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end == ',') {
      std::string with_point = text;
      with_point[with_point.find(',')] = '.';
      char* rest = nullptr;
      std::strtod(with_point.c_str(), &rest);
      if (rest != with_point.c_str() && *rest == '\0')
        return "'" + text + "' has a comma: write " + with_point;
    }
    if (text.empty() || *end != '\0') return "'" + text + "' is not a number";
    if (value >= low && value <= high) return std::string();
    std::ostringstream why;
    why << "'" << text << "' must lie between " << low << " and " << high;
    return why.str();
  };
  std::ostringstream range;
  range << "[" << low << " - " << high << "]";
  return {check, range.str()};
}

CLI::Validator whole_number() {
  const auto check = [](const std::string& text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size()
               ? std::string()
               : "'" + text + "' is not a whole number from 0 to 18446744073709551615";
  };
  return {check, ""};
}

namespace {

// The files that opening `input` may read: of a folder and of parts those beside it as well.
std::vector<std::filesystem::path> files_of(const std::string& input) {
  namespace fs = std::filesystem;
  fs::path path = input;
  try {
    path = resolve_model(input);
  } catch (const Error&) {
    // It is no model's name; if it ought to be one, opening it says so.
  }
  std::error_code ignored;
  std::vector<fs::path> files = {path};
  const bool part = path.filename().string().find("-of-") != std::string::npos;
  const bool folder = fs::is_directory(path, ignored);
  if (!folder && !part && path.extension() != ".safetensors" && path.extension() != ".json") {
    return files;
  }
  fs::path beside = folder ? path : path.parent_path();
  if (beside.empty()) beside = ".";
  constexpr std::array kOfModels = {".safetensors", ".json", ".gguf", ".model", ".jinja"};
  for (fs::directory_iterator at(beside, ignored), end; at != end; at.increment(ignored)) {
    const std::string suffix = at->path().extension().string();
    if (std::find(kOfModels.begin(), kOfModels.end(), suffix) != kOfModels.end()) {
      files.push_back(at->path());
    }
  }
  return files;
}

bool is_gguf_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, 4> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  return std::string_view(head.data(), head.size()) == "GGUF";
}

}  // namespace

void refuse_same_file(const std::string& output, const std::vector<std::string>& inputs) {
  std::error_code missing;
  if (output.empty() || !std::filesystem::exists(output, missing)) return;
  for (const std::string& input : inputs) {
    if (input.empty()) continue;
    for (const std::filesystem::path& file : files_of(input)) {
      if (!std::filesystem::equivalent(output, file, missing)) continue;
      throw Error(ExitCode::kUsage, "is read and cannot be written as well", output,
                  "name another output");
    }
  }
  if (is_gguf_file(output)) {
    throw Error(ExitCode::kUsage, "is a model and would be replaced", output,
                "remove it, or name another output");
  }
}

void refuse_same_outputs(const std::vector<std::string>& outputs) {
  std::vector<std::filesystem::path> places;
  for (const std::string& output : outputs) {
    std::error_code ignored;
    if (output.empty() || std::filesystem::is_other(output, ignored)) continue;
    std::filesystem::path place =
        std::filesystem::weakly_canonical(std::filesystem::absolute(output, ignored), ignored);
    if (std::find(places.begin(), places.end(), place) != places.end()) {
      throw Error(ExitCode::kUsage, "is named for two outputs", output, "name another file");
    }
    places.push_back(std::move(place));
  }
}

std::string prompt_of(const Flags& flags) {
  if (flags.prompt_file.empty()) return flags.prompt;
  std::string text = read_text_file(flags.prompt_file);
  if (text.ends_with('\n')) text.pop_back();  // the end of the last line, as in llama.cpp
  return text;
}

Generate generate_of(const Flags& flags) {
  return {prompt_of(flags), flags.n, flags.sampling, flags.chat, flags.system, flags.muted};
}

trace::Level level_of(const std::string& name) {
  return name == "off"    ? trace::Level::kOff
         : name == "full" ? trace::Level::kFull
                          : trace::Level::kLive;
}

std::optional<model::CacheType> cache_of(const Flags& flags) {
  if (flags.cache == "f32") return model::CacheType::kF32;
  if (flags.cache == "f16") return model::CacheType::kF16;
  if (flags.cache == "q8_0") return model::CacheType::kQ8_0;
  return std::nullopt;
}

SessionOptions session_of(const Flags& flags) {
  return {flags.context, level_of(flags.level), cache_of(flags), false, flags.lens};
}

void add_model(CLI::App& app, Flags& flags) {
  app.add_option(
      "-m,--model", flags.model,
      "a model: a GGUF file, a folder of safetensors or with one GGUF file, ollama:NAME[:TAG], "
      "hf:ORG/REPO[:FILE] or lmstudio:ORG/REPO (`fulgurite models` lists them); without it, or as "
      "builtin, the built-in one");
  app.add_option("-t,--threads", flags.threads,
                 "threads to compute with; 0: as many as there are cores")
      ->check(CLI::Range(0, 256));
}

void add_cache_type(CLI::App& app, Flags& flags) {
  app.add_option(
         "--cache-type", flags.cache,
         "how keys and values are kept: f32, f16 or q8_0; auto: f16 for quantised models, else f32")
      ->check(CLI::IsMember({"auto", "f32", "f16", "q8_0"}))
      ->capture_default_str();
}

namespace {

// What llama.cpp's users write as -1.
CLI::Validator minus_one(const std::function<std::string()>& instead) {
  return {[instead](std::string& text) {
            if (text == "-1") text = instead();
            return std::string();
          },
          ""};
}

// Says which: a text that pleases can be had again.
std::string random_seed() {
  std::random_device device;
  const std::string seed = std::to_string(uint64_t{device()} << 32 | device());
  std::fprintf(stderr, "seed %s\n", seed.c_str());
  return seed;
}

}  // namespace

void add_sampling(CLI::App& app, Sampling& sampling) {
  app.add_option("-s,--seed", sampling.seed, "of the sampler; -1: another one every time")
      ->transform(minus_one(random_seed))
      ->check(whole_number())
      ->capture_default_str();
  app.add_option("--temp", sampling.temperature, "temperature; 0: always the most probable token")
      ->check(between(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "keep the k most probable tokens; 0 or -1: all")
      ->transform(minus_one([] { return "0"; }))
      ->capture_default_str();
  app.add_option("--top-p", sampling.top_p,
                 "keep the smallest set that reaches this probability; 1: all")
      ->check(between(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--min-p", sampling.min_p,
                 "keep those at least this many times as probable as the best; 0: all")
      ->check(between(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--repeat-penalty", sampling.repeat_penalty,
                 "divides (where negative: multiplies) the logits of recent tokens; 1: none")
      ->check(between(0.01, 100.0))
      ->capture_default_str();
  app.add_option("--repeat-last-n", sampling.repeat_last_n,
                 "tokens that the penalties look back; -1: all, 0: none")
      ->check(CLI::Range(-1, 1 << 24))
      ->capture_default_str();
  app.add_option("--frequency-penalty", sampling.frequency_penalty,
                 "taken off a recent token's logit each time it occurs")
      ->check(between(-100.0, 100.0))
      ->capture_default_str();
  app.add_option("--presence-penalty", sampling.presence_penalty,
                 "taken off a recent token's logit once")
      ->check(between(-100.0, 100.0))
      ->capture_default_str();
}

void add_muted(CLI::App& app, std::vector<trace::MutedPart>& muted) {
  app.add_option_function<std::vector<std::string>>(
         "--mute",
         [&muted](const std::vector<std::string>& names) {
           muted.clear();
           for (const std::string& name : names) {
             const auto part = trace::find_part(name);
             if (!part) {
               throw CLI::ValidationError("--mute",
                                          "'" + name +
                                              "' is no part: a head L3.H1, all heads of "
                                              "a layer L3.A, a neuron L3.F20, all L3.M or an "
                                              "expert L3.E5");
             }
             if (std::find(muted.begin(), muted.end(), *part) == muted.end())
               muted.push_back(*part);
           }
         },
         "parts that the model runs without, what they give zero but for biases: a head L3.H1, "
         "all heads of a layer L3.A, a neuron L3.F20, all of a layer L3.M, an expert L3.E5; "
         "several with commas")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void add_generation(CLI::App& app, Flags& flags) {
  add_model(app, flags);
  auto* prompt = app.add_option("-p,--prompt", flags.prompt, "text to begin with");
  app.add_option("-f,--file", flags.prompt_file,
                 "file that holds the prompt, without the end of its last line; - is stdin")
      ->excludes(prompt);
  app.add_option("-n,--predict", flags.n,
                 "tokens to generate (128; pictures and videos: 24); 0 or -1: until the context is "
                 "full")
      ->transform(minus_one([] { return "0"; }))
      ->check(CLI::Range(0U, 1U << 24));
  app.add_option("-c,--ctx-size", flags.context,
                 "positions of context; 0: what the model was trained for, 4096 at most")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  add_cache_type(app, flags);
  auto* chat =
      app.add_flag("--chat", flags.chat,
                   "the prompt is what a user says, put as the model's chat template asks");
  app.add_option("--system", flags.system, "with --chat: what the model is told before it")
      ->needs(chat);
  add_sampling(app, flags.sampling);
  add_muted(app, flags.muted);
  app.add_flag("--lens", flags.lens,
               "say at every layer what the model would answer if it ended there (logit lens)");
  app.add_option("--trace", flags.trace_path, "also write the trace to this file (MCAP)");
  app.add_option("--taps", flags.level, "detail of the trace: off, live or full")
      ->check(CLI::IsMember({"off", "live", "full"}))
      ->capture_default_str();
}

void add_serve(CLI::App& app, Flags& flags) {
  app.add_option("--serve", flags.serve,
                 "let others on this machine watch, with view: tcp:PORT or unix:PATH");
}

namespace {

std::vector<int64_t> ids_of(const std::string& text) {
  std::vector<int64_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  for (;; ++at) {
    int64_t id = 0;
    const auto [behind, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (behind != end && *behind != ',')) {
      throw CLI::ValidationError("--tokens", "'" + text + "' is no list of ids: 1,2,3");
    }
    ids.push_back(id);
    at = behind;
    if (at == end) return ids;
  }
}

}  // namespace

void refuse_generation(const CLI::App& app, const std::string& why,
                       const std::vector<std::string>& sensible, const std::string& hint) {
  Flags unused;
  CLI::App generating;
  add_generation(generating, unused);
  for (const CLI::Option* option : generating.get_options()) {
    const std::string name = option->get_name();
    if (name == "--help" || name == "--model" || name == "--threads") continue;
    if (std::find(sensible.begin(), sensible.end(), name) != sensible.end()) continue;
    if (app.count(name) > 0) throw Error(ExitCode::kUsage, "has nothing to do: " + why, name, hint);
  }
}

Recording recording_of(const Flags& flags, const CLI::App* app, const std::string& path,
                       size_t conversation) {
  if (app != nullptr) {
    refuse_generation(*app, "a trace holds its text",
                      {"--ctx-size", "--cache-type", "--mute", "--lens", "--trace", "--taps"});
  }
  Recording recording = read_recording(path, conversation);
  if (app != nullptr && app->count("--mute") > 0) recording.replay.muted = flags.muted;
  return recording;
}

SessionOptions session_of(const Flags& flags, const CLI::App* app, const Recording& recording,
                          const LoadedModel& model) {
  SessionOptions options = session_of(flags);
  const auto given = [&](const char* name) { return app != nullptr && app->count(name) > 0; };
  if (!given("--ctx-size") || options.context == 0) options.context = context_of(recording, model);
  if (!given("--taps")) options.level = recording.level;
  options.lens = options.lens || recording.lens;
  return options;
}

void add_evaluation(CLI::App& app, EvalOptions& eval) {
  app.add_option("-f,--file", eval.text, "the text; - is stdin")->required();
  app.add_option("-c,--ctx-size,--window", eval.window,
                 "tokens that are seen together, a BOS among them only with --chunks; 0: 128, or "
                 "512 with --chunks")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  app.add_option("--chunks", eval.chunks,
                 "measure as llama-perplexity does: score the second half of so many chunks of "
                 "the window's size; 0: all of the text")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  add_muted(app, eval.muted);
  app.add_flag("--json", eval.json, "as JSON");
}

// For commands that read tokens and generate none.
void add_tokens(CLI::App& app, Flags& flags, std::vector<int64_t>& tokens) {
  add_model(app, flags);
  auto* prompt = app.add_option("-p,--prompt", flags.prompt, "text to read");
  auto* file = app.add_option("-f,--file", flags.prompt_file,
                              "file to read, without the end of its last line; - is stdin");
  auto* ids = app.add_option_function<std::string>(
      "--tokens", [&tokens](const std::string& text) { tokens = ids_of(text); },
      "token ids to read: 1,2,3");
  file->excludes(prompt);
  ids->excludes(prompt)->excludes(file);
  app.add_option(
         "-c,--ctx-size", flags.context,
         "context in tokens, as of run; matters to long RoPE alone; else the text's own length")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  add_muted(app, flags.muted);
  app.preparse_callback([&flags](size_t) { flags.prompt.clear(); });  // no text but the user's own
}

void add_training(CLI::App& app, TrainOptions& train) {
  app.add_option("FILE", train.text, "text file: its first 90 % train, the rest validates")
      ->required();
  app.add_option("-o,--output", train.output, "the model (GGUF)")->required();
  app.add_option("--name", train.name, "general.name of the model")->capture_default_str();
  app.add_flag("--f32", train.f32, "write float32 instead of float16");
  app.add_option("--layers", train.layers, "attention and FFN, so many times")
      ->capture_default_str();
  app.add_option("--heads", train.heads, "attention heads of a layer")->capture_default_str();
  app.add_option("--kv-heads", train.kv_heads, "0: half of the heads");
  app.add_option("--dim", train.dim, "width of the residual stream")->capture_default_str();
  app.add_option("--ffn", train.ffn, "FFN neurons a layer; 0: 27/16 of --dim");
  app.add_option("-c,--ctx,--ctx-size", train.ctx, "context length")->capture_default_str();
  app.add_option("--steps", train.steps, "updates of the weights")->capture_default_str();
  app.add_option("--batch", train.batch, "sequences a step")->capture_default_str();
  app.add_option("--full-every", train.full_every,
                 "one step in so many uses whole windows of --ctx, the others half ones")
      ->capture_default_str();
  app.add_flag("--muon,!--adamw", train.muon,
               "optimiser of the layers' matrices: Muon (default), or AdamW for everything");
  app.add_option("--lr", train.lr, "learning rate after the warm-up")->capture_default_str();
  app.add_option("--min-lr", train.min_lr, "at the end of the cosine")->capture_default_str();
  app.add_option("--warmup", train.warmup, "steps; -1: 200, or a tenth of a short run")
      ->capture_default_str();
  app.add_option("--weight-decay", train.weight_decay,
                 "of matrices: what they lose at a step, times --lr")
      ->capture_default_str();
  app.add_option("--dropout", train.dropout, "share of values left out while it learns")
      ->capture_default_str();
  app.add_option("--clip", train.clip, "largest norm of the gradient; 0: any")
      ->capture_default_str();
  app.add_option("--momentum", train.momentum, "of Muon")->capture_default_str();
  app.add_option("--beta1", train.beta1, "of AdamW")->capture_default_str();
  app.add_option("--beta2", train.beta2, "of AdamW")->capture_default_str();
  app.add_option("-s,--seed", train.seed, "of weights, windows and dropout")
      ->check(whole_number())
      ->capture_default_str();
  app.add_option("-t,--threads", train.threads, "0: as many as the machine has")
      ->check(CLI::Range(0, 256));
  app.add_option("--eval-every", train.eval_every, "steps between validations")
      ->capture_default_str();
  app.add_option("--log-every", train.log_every, "steps between reports")->capture_default_str();
  app.add_option("--log", train.log, "write the losses to this file, one JSON object a line");
  app.add_option("--checkpoints", train.checkpoints, "folder for float16 snapshots");
  app.add_option("--checkpoint-steps", train.checkpoint_steps,
                 "steps at which one is kept: 0,100,1000")
      ->delimiter(',');
  app.add_option("--resume", train.resume, "go on with this model, whose .state lies beside it");
}

std::string not_expected(const CLI::App& app, const std::vector<std::string>& rest) {
  std::string text = "not expected: " + CLI::detail::join(rest, " ");
  std::vector<std::string> flags;
  bool has_prompt = false;
  bool wants_model = false;
  bool wants_text = false;
  bool wants_name = false;  // of a tensor
  for (const CLI::App* command : app.get_subcommands()) {
    for (const CLI::Option* option : command->get_options()) {
      has_prompt = has_prompt || option->check_lname("prompt");
      wants_model = wants_model || (option->check_lname("model") && option->count() == 0);
      wants_name = wants_name || (option->check_lname("name") && option->count() == 0);
      wants_text = wants_text || (option->check_lname("file") && option->count() == 0);
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
  }
  const auto flag = std::find_if(rest.begin(), rest.end(),
                                 [](const std::string& word) { return word.starts_with('-'); });
  const std::string meant =
      flag != rest.end() ? probably(flag->substr(0, flag->find('=')), flags) : std::string();
  if (!meant.empty()) text += ", did you mean " + meant + "?";
  if (flag == rest.begin()) return text;
  std::string hint = has_prompt ? "a text is given with -p" : wants_text ? "a file with -f" : "";
  if (has_prompt && wants_name) hint += ", a tensor with --name";
  if (wants_model) hint += std::string(hint.empty() ? "" : ", ") + "a model with -m";
  return hint.empty() ? text : text + "; " + hint;
}

}  // namespace engine::commands
