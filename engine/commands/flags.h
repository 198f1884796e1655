// Flags that several commands share, with llama.cpp's names and meanings.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/commands/eval.h"
#include "engine/commands/train.h"
#include "engine/control.h"
#include "engine/replay.h"
#include "engine/session.h"

namespace engine::commands {

struct Flags {
  std::string model;
  std::string prompt;
  std::string prompt_file;
  bool chat = false;
  std::string system;
  uint32_t n = 128;
  int64_t context = 0;
  std::string cache = "auto";
  int threads = 0;
  Sampling sampling;
  std::vector<trace::MutedPart> muted;
  bool lens = false;
  std::string level = "live";
  std::string trace_path;
  std::string serve;
};

// A number in [low, high]; CLI::Range lets "nan" through.
CLI::Validator between(double low, double high);

// A whole number of 64 bits; CLI11 wraps those below zero and beyond.
CLI::Validator whole_number();

// Throws Error (usage) when the output is one of the inputs, which may be models named in any way,
// or another file of such a model: it would be gone before it is read; or when it is a GGUF file
// that is there, which somebody may have only once.
void refuse_same_file(const std::string& output, const std::vector<std::string>& inputs);

// Throws Error (usage) when two outputs are one file.
void refuse_same_outputs(const std::vector<std::string>& outputs);

// Throws Error (usage), with `why` and `hint`, when an option of add_generation was given that is
// none of `sensible`; -m and -t change nothing.
void refuse_generation(const CLI::App& app, const std::string& why,
                       const std::vector<std::string>& sensible = {},
                       const std::string& hint = "leave it out");

// The conversation of the trace at `path`, which -m's model is to run again; --mute leaves out
// other parts than it did. Throws as read_recording() does, and Error (usage) for an option that
// asks for other tokens. app: may be null.
Recording recording_of(const Flags& flags, const CLI::App* app, const std::string& path,
                       size_t conversation);
// As the recording was made where no option says otherwise.
SessionOptions session_of(const Flags& flags, const CLI::App* app, const Recording& recording,
                          const LoadedModel& model);

// The prompt, read from its file when there is one. Throws Error (failed).
std::string prompt_of(const Flags& flags);
Generate generate_of(const Flags& flags);
trace::Level level_of(const std::string& name);
std::optional<model::CacheType> cache_of(const Flags& flags);
SessionOptions session_of(const Flags& flags);

// -m -t; and what the sampler takes; and what generates: -p -f -n -c and the others.
void add_model(CLI::App& app, Flags& flags);
void add_cache_type(CLI::App& app, Flags& flags);
void add_sampling(CLI::App& app, Sampling& sampling);
void add_generation(CLI::App& app, Flags& flags);
void add_serve(CLI::App& app, Flags& flags);
void add_muted(CLI::App& app, std::vector<trace::MutedPart>& muted);
// For commands that read tokens and generate none.
void add_tokens(CLI::App& app, Flags& flags, std::vector<int64_t>& tokens);
// What `eval` and `train` take.
void add_evaluation(CLI::App& app, EvalOptions& eval);
void add_training(CLI::App& app, TrainOptions& train);

// A sentence about words that a command does not know, and what the first may have meant.
std::string not_expected(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace engine::commands
