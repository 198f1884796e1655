// One conversation: a prompt, the tokens that follow, and the trace of both.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/control.h"
#include "engine/loaded_model.h"
#include "engine/past.h"
#include "engine/recorder.h"
#include "engine/sampler.h"
#include "engine/tiles.h"
#include "engine/trace/log.h"

namespace engine {

struct SessionOptions {
  int64_t context = 0;  // positions; 0: what the model was trained for, 4096 at most
  trace::Level level = trace::Level::kLive;
  std::optional<model::CacheType> cache = {};  // else the model's own
  bool passes_end = false;                     // goes on behind a token that ends a text
  bool lens = false;                           // read_lens() for what every step drew
};

// Writes to the log from the thread that calls; not thread-safe.
class Session {
 public:
  // Describes the model in the log. The model and the log must outlive the session.
  // Throws Error (usage) when the context is longer than the model's.
  Session(LoadedModel& model, trace::Log& log, const SessionOptions& options);

  // Begins anew. Throws Error (usage) when the prompt does not fit into the context, or the model
  // has not what shall be muted.
  void start(const Generate& what);
  // The same with token ids instead of a prompt. go_on: see Generate.
  void start(std::vector<int32_t> ids, uint32_t n, const Sampling& sampling, bool go_on = false);

  // Throws Error (usage) also where a token is none of the model's.
  void start(const Replay& what);

  // Throw what start() would.
  void require_possible(const Generate& what) const;
  void require_possible(const Replay& what) const;

  // One forward step: the whole prompt first, then one token at a time. Returns the text of
  // what it took in (for a generated token, that token); empty and finished() when over.
  // between: called between the batches of a long prompt, whose detail is in the log then; false
  // ends the conversation there, without the step.
  std::string step(const std::function<bool()>& between = {});
  bool finished() const noexcept { return finished_; }
  // Ends the conversation where it is, if it is not over.
  void stop();
  // Ends the conversation with an error's sentence in the trace.
  void abandon(std::string_view why, trace::NoteKind kind = trace::NoteKind::kError);

  // Answers with a TensorRecord; when it cannot, the record is empty and says why.
  void inspect(const Inspect& what);

  // Answer with the record of that name; not at all where the position has not been run or the
  // vocabulary has no such token. Throw Error (bad_model) where there is no finite number,
  // std::bad_alloc.
  void read_lens(const ReadLens& what);
  void attribute(const Attribute& what);
  // Queues; read_tiles() answers with TileRecords.
  void ask_tile(const InspectTile& what) { tiles_.ask(what); }
  bool tiles_pending() const noexcept { return tiles_.pending(); }
  // Works on them for about so long; returns the time it took.
  std::chrono::nanoseconds read_tiles(std::chrono::nanoseconds budget);

  // A sentence for the person watching.
  void note(trace::NoteKind kind, std::string_view sentence);

  int64_t context() const noexcept { return context_; }
  const std::vector<int32_t>& tokens() const noexcept { return tokens_; }
  // Of the last position that was run (V).
  const std::vector<float>& logits() const noexcept { return logits_; }

 private:
  void begin(std::vector<int32_t> ids, const Generate& what);
  void require_room(size_t tokens, const char* of) const;
  std::vector<int32_t> ids_of(const Generate& what) const;
  size_t length_of(const Replay& what) const;
  void note_settings(size_t kept);
  void take_given();
  std::string reached() const;
  size_t next_batch() const;
  void run_positions(size_t first, size_t n, bool want_logits);
  void finish(std::string_view why);
  bool knows(uint32_t position, int32_t token) const noexcept;
  Past past() { return {cache_, tokens_, done_, muted_}; }
  size_t common_with(const std::vector<int32_t>& ids) const noexcept;

  LoadedModel& model_;
  trace::Log& log_;
  SessionOptions options_;
  int64_t context_;
  model::KvCache cache_;
  Recorder recorder_;
  Sampler sampler_;
  Sampling sampling_;  // the sampler's
  TileReader tiles_;
  std::vector<trace::MutedPart> muted_parts_;
  std::vector<model::Mute> muted_;  // the same
  std::vector<int32_t> tokens_;
  std::vector<float> logits_;
  size_t done_ = 0;  // positions that have been run
  uint32_t steps_ = 0;
  std::vector<size_t> step_ends_;  // positions behind each step
  size_t prompt_ = 0;              // positions that were given, not generated
  size_t limit_ = 0;               // positions after which it ends
  std::vector<GivenStep> given_;   // steps that follow the first, whatever is drawn; the next last
  bool replays_ = false;           // all up to limit_ was given so
  size_t otherwise_ = 0;           // where another token than the given one was drawn
  bool finished_ = true;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace engine
