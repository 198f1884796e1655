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
  trace::Level level = trace::Level::kLive;  // or full
  trace::FileContents contents;              // what of the file was read
};

// conversation: see trace::load_file. Throws Error (bad_model) as it does, and where the trace
// holds no step, steps that do not follow each other or settings out of range; (usage): it has
// fewer conversations.
Recording read_recording(const std::string& path, size_t conversation = 0);

// Throws Error (usage) when it was not this model that wrote it.
void require_same_model(const Recording& recording, const LoadedModel& model,
                        const std::string& path);

// What a conversation's last prompt asked for, so that it can be asked again.
Generate question_of(const Replay& replay, const model::Tokenizer& tokenizer);

}  // namespace engine
