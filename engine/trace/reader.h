// One way to ask a trace questions, whoever wrote it: a live session, a file, a socket
// or a test. A reader belongs to one thread. Every pointer and span that it hands out
// stays good until its next poll().
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/trace/log.h"
#include "engine/trace/schema.h"

namespace trace {

struct Model {
  ModelRecord record;
  StructureRecord structure;  // as an old trace means it where it does not say
  std::string name;
  std::string architecture;
  std::string quantisation;

  // Of the FFN of one layer, all experts together.
  uint32_t neurons(uint32_t layer) const noexcept {
    const bool dense = structure.experts > 0 && layer < structure.dense_layers;
    return dense ? structure.dense_neurons : record.neurons;
  }
  // With the one that always works; 0: the layer is dense.
  uint32_t experts(uint32_t layer) const noexcept {
    if (structure.experts == 0 || layer < structure.dense_layers) return 0;
    return structure.experts + (structure.shared_neurons > 0 ? 1 : 0);
  }
};

// Whether a description makes sense, and a picture of it can be held in memory.
bool makes_sense(const ModelRecord& model) noexcept;
bool makes_sense(const StructureRecord& structure, const ModelRecord& model) noexcept;

// What a trace that says nothing of its model's structure means.
StructureRecord structure_of(const ModelRecord& model);

struct Token {
  const TokenRecord* record = nullptr;
  std::string_view text;  // raw bytes, up to 4096
};

struct Attention {
  const AttentionRecord* record = nullptr;
  std::span<const float> bias_share;  // (L)
  std::span<const HeadShare> heads;   // (L, H)
  std::span<const KvRead> reads;      // (L, H, reads)
  std::span<const float> sinks;       // (L, H), or empty: the model has none

  const HeadShare& head(size_t layer, size_t h) const { return heads[layer * record->heads + h]; }
  // The attention weight that a head's sink takes; 0 without one.
  float sink(size_t layer, size_t h) const {
    return sinks.empty() ? 0.0F : sinks[layer * record->heads + h];
  }
  // The reads of one head: the strongest share first, as far as schema.h says.
  std::span<const KvRead> reads_of(size_t layer, size_t h) const {
    return reads.subspan((layer * record->heads + h) * record->reads, head(layer, h).reads);
  }
};

struct Kv {
  const KvRecord* record = nullptr;
  std::span<const float> k_norm;  // (L, K)
  std::span<const float> v_norm;  // (L, K)
  std::span<const float> read;    // (L, K, slots)
};

struct Ffn {
  const FfnRecord* record = nullptr;
  std::span<const float> rms;           // (L, buckets)
  std::span<const float> bucket_share;  // (L, buckets)
  std::span<const float> rest_share;    // (L)
  std::span<const float> bias_share;    // (L)
  std::span<const NeuronShare> top;     // (L, top)
};

struct Experts {
  const ExpertsRecord* record = nullptr;
  std::span<const float> probability;  // (L, experts)
  std::span<const ExpertShare> used;   // (L, used)

  std::span<const ExpertShare> used_in(size_t layer) const {
    return used.subspan(layer * record->used, record->used);
  }
};

struct Residual {
  const ResidualRecord* record = nullptr;
  std::span<const float> rms;     // (L, 3)
  std::span<const float> update;  // (L, 2)
};

struct Logits {
  const LogitsRecord* record = nullptr;
  std::span<const Candidate> candidates;
};

struct Lens {
  const LensRecord* record = nullptr;
  std::span<const LensRow> rows;   // (L + 1)
  std::span<const Candidate> top;  // (L + 1, candidates)

  std::span<const Candidate> top_of(size_t row) const {
    return top.subspan(row * record->candidates, record->candidates);
  }
};

struct Attribution {
  const AttributionRecord* record = nullptr;
  std::span<const float> head;            // (L, H)
  std::span<const float> attention_bias;  // (L)
  std::span<const float> ffn;             // (L)
  std::span<const float> ffn_bias;        // (L)
  std::span<const NeuronTerm> neurons;
  std::span<const ExpertTerm> experts;  // of a mixture, once they have come
};

// p99[layer * kMeasureCount + measure]
struct Scale {
  const ScaleRecord* record = nullptr;
  std::span<const float> p99;
  float of(size_t layer, Measure measure) const {
    return p99[layer * kMeasureCount + static_cast<size_t>(measure)];
  }
};

struct Time {
  const TimeRecord* record = nullptr;
  std::span<const OperationTime> operations;
};

struct TensorAnswer {
  const TensorRecord* record = nullptr;
  std::string_view name;
  std::string_view formula;
  std::span<const float> values;  // (rows, cols)
};

struct TileAnswer {
  const TileRecord* record = nullptr;
  std::string_view name;
  std::string_view formula;
  // (rows, cols) each; all three the same where a texel is one cell.
  std::span<const float> min, mean, max;
};

// Everything known of one position. Members without a record were not captured or were dropped.
struct Position {
  Token token;
  Residual residual;
  Attention attention;
  Kv kv;
  Ffn ffn;
  Experts experts;
  Logits logits;
  Scale scale;
  Time time;
  // The newest that was asked for.
  Lens lens;
  Attribution attribution;
};

class Reader {
 public:
  explicit Reader(Log& log) : cursor_(log) {}

  // Takes in what was written since the last call. True if there was anything.
  // Throws Error (bad_model) when a message does not hold what its header promises.
  bool poll();

  // nullptr until the writer has described the model.
  const Model* model() const { return model_ ? &*model_ : nullptr; }
  // Nothing more will be said about the model.
  bool described() const { return described_; }
  // With which settings a step was made; nullptr: the trace does not say.
  const StartRecord* start(size_t step) const;
  // What else was done to that step's logits; nullptr: nothing, or the trace does not say.
  const PenaltiesRecord* penalties(size_t step) const;
  // Of the conversation, as they changed; oldest first.
  struct Settings {
    size_t from = 0;  // the first step that was made with them
    const StartRecord* start = nullptr;
    const PenaltiesRecord* penalties = nullptr;
  };
  std::span<const Settings> settings() const { return settings_; }
  // What the conversation runs without.
  std::span<const MutedPart> muted() const { return muted_; }
  // Grows with every conversation; when it changes, positions and steps began anew.
  uint64_t conversation() const { return conversation_; }

  // Grows whenever a conversation went on; steps before the last that was kept are what they were.
  uint64_t continuation() const { return continuation_; }
  size_t kept_steps() const { return kept_steps_; }

  size_t positions() const { return positions_.size(); }
  const Position& position(size_t i) const { return positions_[i]; }

  // Complete forward steps; step 0 is the prompt.
  size_t steps() const { return steps_.size(); }
  const StepRecord& step(size_t i) const { return steps_[i]; }

  // The answer to an inspection, or nullptr while it is not there.
  const TensorAnswer* answer(uint64_t request) const;

  // The newest answer to an InspectTile, or nullptr while there is none.
  const TileAnswer* tile(uint64_t request) const;

  // The newest note of the conversation and its kind; empty at first.
  std::string_view note() const { return note_; }
  NoteKind note_kind() const { return note_kind_; }
  // The note says what went wrong.
  bool failed() const {
    return note_kind_ == NoteKind::kError || note_kind_ == NoteKind::kModelFailed ||
           note_kind_ == NoteKind::kFailed;
  }
  // Why the trace's file could not be written on; empty: it could, or there is none. No later
  // conversation is in it, so it stays.
  std::string_view trace_failure() const { return trace_failure_; }
  // The conversation's last step is there.
  bool finished() const { return finished_; }

  // True once detail had to be dropped to keep the memory limit, also before this reader came.
  bool dropped() const { return dropped_; }

 private:
  void take(const Message& message);
  void go_on(const ContinueRecord& record);
  void forget(uint64_t chunk);
  uint64_t& chunk_of(uint64_t position, Topic topic) {
    return chunks_[position][static_cast<size_t>(topic)];
  }

  Cursor cursor_;
  std::optional<Model> model_;
  bool described_ = false;
  const Settings* settings_of(size_t step) const;
  std::vector<Settings> settings_;
  std::span<const MutedPart> muted_;
  uint64_t conversation_ = 0;
  uint64_t continuation_ = 0;
  size_t kept_steps_ = 0;
  std::deque<Position> positions_;
  std::vector<StepRecord> steps_;  // copies: going on may cut one
  template <class T>
  struct Answered {
    uint64_t chunk;
    T answer;
  };
  std::map<uint64_t, Answered<TensorAnswer>> answers_;
  std::map<uint64_t, Answered<TileAnswer>> tiles_;
  // The chunk that each position's detail of a topic lies in; positions_ beside it.
  std::deque<std::array<uint64_t, kTopicCount>> chunks_;
  // What came in which chunk, oldest first; what came again lies in a later one, too.
  struct Held {
    uint64_t chunk;
    Topic topic;
    uint64_t key;
  };
  std::deque<Held> held_;
  std::string_view note_;
  NoteKind note_kind_ = NoteKind::kInfo;
  std::string_view trace_failure_;
  bool finished_ = false;
  bool dropped_ = false;
};

}  // namespace trace
