// The conversation of a trace, to be run again by the model that wrote it: what a trace leaves out,
// every tensor of every position, can then be asked for, and the conversation can go on.
#pragma once

#include <cstdint>
#include <string>

#include "engine/control.h"
#include "engine/loaded_model.h"
#include "engine/trace/file.h"

namespace engine {

struct Recording {
  Replay replay;
  std::string model;                         // its name in the trace
  uint64_t weights_hash = 0;                 // see LoadedModel::hash
  uint32_t context = 0;                      // positions
  int64_t positions = 0;                     // that were run
  trace::Level level = trace::Level::kLive;  // or full
  bool lens = false;                         // it holds readings behind the layers
  trace::FileContents contents;              // what of the file was read
};

// conversation: see trace::load_file. Throws Error (bad_model) as it does, and where the trace
// holds no step, steps that do not follow each other or settings out of range; (usage): it has
// fewer conversations.
Recording read_recording(const std::string& path, size_t conversation = 0);

// Throws Error (usage) when it was not this model that wrote it, or the model has not what it
// names.
void require_runnable(const Recording& recording, const LoadedModel& model,
                      const std::string& path);

// Throws Error (usage) where a token is none of the model's.
void require_known_tokens(const Replay& replay, const LoadedModel& model);

// Positions of context: as many as it was recorded with, where the model knows so many.
int64_t context_of(const Recording& recording, const LoadedModel& model);

// What a conversation's last prompt asked for, so that it can be asked again. Its tokens are known.
Generate question_of(const Replay& replay, const model::Tokenizer& tokenizer);

}  // namespace engine
