// THE CONTRACT: what happened, as bytes. The engine writes these records, the renderer,
// a file and any other reader see nothing else. In memory, in an MCAP file and on a
// socket the bytes are the same: little-endian, a fixed header, then arrays in the order
// in which the header's comment names them. In MCAP a topic is the channel "/" + topic_name(),
// its messages' log time is when the record was written, and `sequence` counts over all topics: in a
// gap lie tiles, which are not for files, or detail that was let go.
//
// What changes. Topics, enums and flags only ever grow, and a record may get more fields behind its
// arrays: skip what you do not know, ignore bytes that are left over. Where that is not enough the
// schema version rises, and an older reader has to refuse. kMeasureCount is part of version 1.
//
// What follows what. model, structure; then conversations, each a start (with penalties and muted,
// where there are any), its steps and, when it is over, a note of kFinished. A step is, batch by
// batch of a long prompt, the tokens of the batch, then of each of its positions residual,
// attention, kv, ffn, experts and scale, then of each a time; then logits and lens of the step's
// last position; then the step. A trace that ends in the middle may have tokens without the rest.
// At the level off there are tokens, steps and lenses. Notes, tensors, attributions and lenses that
// somebody asked for come when they were asked for.
//
// What adds up. Shares are signed terms of a sum by their part along it: <term, sum> / |sum|^2,
// together 1; where the sum is 0, and of what a muted head read, all of them are 0. Where an update
// is normalised before it is added (kStructurePostNorms), terms are measured behind the norm's gain;
// where it is multiplied by a factor (kStructureScaledUpdates), before that.
// Letters of shapes as everywhere: L layers, H heads, K KV heads, F neurons, V vocabulary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trace {

inline constexpr uint32_t kSchemaVersion = 1;

enum class Topic : uint16_t {
  kModel = 1,     // once, first: ModelRecord
  kStart = 2,     // a conversation begins: StartRecord; what came before is over
  kToken = 3,     // TokenRecord, one a position
  kStep = 4,      // StepRecord: the positions of one forward step are complete
  kResidual = 5,  // detail of one position: ResidualRecord ...
  kAttention = 6,
  kKv = 7,
  kFfn = 8,
  kLogits = 9,
  kScale = 10,
  kTime = 11,
  kTensor = 12,     // the answer to one inspection
  kNote = 13,       // a sentence for the person watching
  kTile = 14,       // the answer to one InspectTile; not written to files
  kStructure = 15,  // once, after kModel: StructureRecord
  kExperts = 16,    // detail of one position of a mixture: ExpertsRecord
  kContinue = 17,  // a conversation goes on: ContinueRecord; what came behind its positions is over
  kPenalties = 18,    // after kStart or kContinue, where there are any: PenaltiesRecord
  kMuted = 19,        // after kStart, where there are any: MutedRecord
  kLens = 20,         // what a position would say if it were read behind any layer: LensRecord
  kAttribution = 21,  // what made one token's logit: AttributionRecord
  kExpertTerms = 22,  // behind it, of a mixture: ExpertTermsRecord
};
// As files call it; empty: no topic.
constexpr std::string_view topic_name(Topic topic) noexcept {
  switch (topic) {
    case Topic::kModel:
      return "model";
    case Topic::kStart:
      return "start";
    case Topic::kToken:
      return "token";
    case Topic::kStep:
      return "step";
    case Topic::kResidual:
      return "residual";
    case Topic::kAttention:
      return "attention";
    case Topic::kKv:
      return "kv";
    case Topic::kFfn:
      return "ffn";
    case Topic::kLogits:
      return "logits";
    case Topic::kScale:
      return "scale";
    case Topic::kTime:
      return "time";
    case Topic::kTensor:
      return "tensor";
    case Topic::kNote:
      return "note";
    case Topic::kTile:
      return "tile";
    case Topic::kStructure:
      return "structure";
    case Topic::kExperts:
      return "experts";
    case Topic::kContinue:
      return "continue";
    case Topic::kPenalties:
      return "penalties";
    case Topic::kMuted:
      return "muted";
    case Topic::kLens:
      return "lens";
    case Topic::kAttribution:
      return "attribution";
    case Topic::kExpertTerms:
      return "expert_terms";
  }
  return {};
}
inline constexpr uint16_t kTopicCount = 23;  // one more than the last
static_assert(topic_name(Topic{kTopicCount}).empty() &&
              !topic_name(Topic{kTopicCount - 1}).empty());

// Detail can be dropped when memory is short; the rest never is.
constexpr bool is_detail(Topic topic) noexcept {
  switch (topic) {
    case Topic::kResidual:
    case Topic::kAttention:
    case Topic::kKv:
    case Topic::kFfn:
    case Topic::kLogits:
    case Topic::kScale:
    case Topic::kTime:
    case Topic::kTensor:
    case Topic::kTile:
    case Topic::kExperts:
    case Topic::kLens:
    case Topic::kAttribution:
    case Topic::kExpertTerms:
      return true;
    case Topic::kModel:
    case Topic::kStart:
    case Topic::kToken:
    case Topic::kStep:
    case Topic::kNote:
    case Topic::kStructure:
    case Topic::kContinue:
    case Topic::kPenalties:
    case Topic::kMuted:
      break;
  }
  return false;
}

// How much detail a position carries.
enum class Level : uint32_t { kOff = 0, kLive = 1, kFull = 2 };
constexpr const char* level_name(Level level) noexcept {
  switch (level) {
    case Level::kOff:
      return "off";
    case Level::kLive:
      return "live";
    case Level::kFull:
      return "full";
  }
  return "of a later version";
}

// then: name, architecture, quantisation (bytes, lengths in the header)
struct ModelRecord {
  uint32_t schema_version = kSchemaVersion;
  uint32_t layers = 0;      // L
  uint32_t width = 0;       // C
  uint32_t heads = 0;       // H
  uint32_t kv_heads = 0;    // K
  uint32_t head_width = 0;  // D: of a query and a key
  uint32_t neurons = 0;     // F; of a mixture those of all experts, and of what always works
  uint32_t vocabulary = 0;  // V
  uint32_t context = 0;     // longest context
  uint32_t buckets = 0;     // cells of an FFN plate, at this level of detail: neuron n lies in
                            // cell n * buckets / F
  uint64_t parameters = 0;
  uint64_t weights_hash = 0;  // of a sample of the weights, and their names: FNV-1a
  uint32_t name_bytes = 0;
  uint32_t architecture_bytes = 0;
  uint32_t quantisation_bytes = 0;
  uint32_t reserved = 0;
};

// The KV head that a head reads: heads of a group follow each other.
constexpr uint32_t kv_head_of(const ModelRecord& model, uint32_t head) {
  return static_cast<uint32_t>(uint64_t{head} * model.kv_heads / model.heads);
}

// The sampler's settings of a conversation.
struct StartRecord {
  uint64_t seed = 0;
  float temperature = 1.0F;
  float top_p = 1.0F;
  uint32_t top_k = 0;  // 0: all
  Level level = Level::kLive;
};

// What else the sampler does to the logits of a conversation, as llama.cpp defines it. The
// candidates' probabilities are those before it.
struct PenaltiesRecord {
  float min_p = 0.0F;         // 0: all
  float repeat = 1.0F;        // 1: none
  float frequency = 0.0F;     // 0: none
  float presence = 0.0F;      // 0: none
  int32_t repeat_last_n = 0;  // tokens that they look back; -1: all
  uint32_t reserved = 0;
};

// What a conversation runs without: what the part gives is zero before W_O or W_down reads it. The
// head still looks and the neuron still has its gate; biases stay.
enum class MutedKind : uint32_t {
  kHead = 0,     // index: its number
  kHeads = 1,    // all of the layer
  kNeuron = 2,   // index: its number, in a mixture as in StructureRecord
  kNeurons = 3,  // all of the layer
  kExpert = 4    // index: its number; all of its neurons. The one that always works is the last
};
struct MutedPart {
  MutedKind kind = MutedKind::kHead;
  uint32_t layer = 0;
  uint32_t index = 0;

  friend bool operator==(const MutedPart&, const MutedPart&) = default;
};

// More than this many parts one by one is a mistake: layers can be named as a whole.
inline constexpr uint32_t kMostMuted = 1U << 16;

// then: MutedPart parts[count]
struct MutedRecord {
  uint32_t count = 0;
  uint32_t reserved = 0;
};

// A conversation goes on after the first `positions` of it: they stay with all their detail, and so
// do the first `steps` steps, the last of them perhaps cut: its logits may name a token that no
// longer follows. Tokens and steps that follow count on. What is muted stays so; penalties are told
// again where there are any.
struct ContinueRecord {
  StartRecord start;
  uint32_t positions = 0;
  uint32_t steps = 0;
};

enum class TokenKind : uint32_t { kPrompt = 0, kGenerated = 1 };
enum TokenFlag : uint32_t {
  kTokenControl = 1,  // it is no text (a beginning, an end, a turn, what is unknown): its bytes are
                      // its name
};

// then: the token's bytes, of a control token its name (text_bytes). A token may hold a part of a
// character; where a vocabulary puts a space before every word, so does the first.
struct TokenRecord {
  uint32_t position = 0;
  uint32_t step = 0;
  int32_t id = 0;
  TokenKind kind = TokenKind::kPrompt;
  int64_t wall_ns = 0;  // since the conversation's start
  uint32_t text_bytes = 0;
  uint32_t flags = 0;  // of TokenFlag
};

struct StepRecord {
  uint32_t step = 0;
  uint32_t first_position = 0;
  uint32_t count = 0;  // n for a prompt, 1 for a generated token; at least 1 in what a Reader has
  uint32_t reserved = 0;

  uint32_t last_position() const noexcept { return first_position + count - 1; }
};

// then: float rms[L][3] of x before attention, between, after the FFN;
//       float update[L][2] = |da| / |x|, |df| / |x|, x what attention and what the FFN reads
struct ResidualRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
};

// One read of the KV cache by a head: weight a_j and share a_j <W_O,h v_j, o_h> / |o_h|^2. Slots
// outside of a layer's window are read with weight 0.
struct KvRead {
  uint32_t position = 0;
  float weight = 0.0F;
  float share = 0.0F;
};

// The head's term of the attention update; rest_* is what its listed reads leave over.
struct HeadShare {
  float share = 0.0F;    // <o_h, da> / |da|^2; sums to 1 over heads together with the bias
  float norm = 0.0F;     // |o_h|, behind the gain of a norm after the sum, before its scale
  float entropy = 0.0F;  // nats, of the attention weights; beside a sink, of them over their sum
  float rest_weight = 0.0F;  // with that of the head's sink, which reads nothing
  float rest_share = 0.0F;
  uint32_t reads = 0;  // how many of the reads are used, <= AttentionRecord.reads
};

// then: float bias_share[L]; HeadShare heads[L][H]; KvRead reads[L][H][reads], the 16 of largest
//       weight first, by share, and then the others by position;
//       of a model that has sinks (kStructureSinks) float sink[L][H], the weight that each takes
struct AttentionRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
  uint32_t heads = 0;
  uint32_t reads = 0;
};

// then: float k_norm[L][K]; float v_norm[L][K] of what was appended;
//       float read[L][K][position + 1]: attention weight that each slot received, mean over
//       the heads that share the KV head
struct KvRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
  uint32_t kv_heads = 0;
  uint32_t slots = 0;  // position + 1
  uint64_t bytes_held = 0;  // of the cache, all layers together
};

// A neuron's term of the FFN update: act_n <w_n, df> / |df|^2, w_n its column of W_down.
struct NeuronShare {
  uint32_t neuron = 0;
  float activation = 0.0F;
  float share = 0.0F;
};

// then: float rms[L][buckets] of the activations in a cell; float bucket_share[L][buckets];
//       float rest_share[L]; float bias_share[L]; NeuronShare top[L][top], the 16 of largest
//       |share| first (of a large model live: of largest |activation|, where weights are quantised
//       before it is rounded for their product), then the others by number.
//       bucket_share + bias_share = 1, and top + rest_share + bias_share = 1. Where top is F,
//       layers of fewer neurons have zeros behind theirs.
struct FfnRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
  uint32_t buckets = 0;
  uint32_t top = 0;
};

struct Candidate {
  int32_t id = 0;
  float logit = 0.0F;
  float probability = 0.0F;  // softmax at the sampler's temperature (at 1 when greedy)
  uint32_t text_bytes = 0;   // <= 20; longer ones end with an ellipsis
  std::array<char, 20> text = {};
};

// What this position says about the next token. then: Candidate top[candidates]
struct LogitsRecord {
  uint32_t position = 0;
  uint32_t candidates = 0;
  int32_t sampled = -1;  // what follows: drawn, or known where a trace is run again. -1: nothing
  float sampled_probability = 0.0F;  // before top-k, top-p and min-p leave any out
  float entropy = 0.0F;              // nats, of the softmax
  float rest_probability = 0.0F;     // of all that are not listed
};

// The logit lens: what a position would say of the next token if the last norm and the unembedding
// read the residual stream there already. Row 0 is the embedding, row l + 1 the stream behind
// layer l, the last row the model's own answer; probabilities at the temperature of LogitsRecord.
// then: LensRow row[L + 1]; Candidate top[L + 1][candidates]
struct LensRow {
  float probability = 0.0F;  // of `token` ...
  uint32_t rank = 0;         // ... and how many are more probable
};
struct LensRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
  uint32_t candidates = 0;
  int32_t token = 0;  // that was drawn here, or another one that was asked for
};

// Direct logit attribution: what every part of the model added to the logit of `token`, with the
// scale of the last norm held; all terms together with `rest` are `logit`. With `against` a token
// (-1: none), the same of the difference of both logits.
// then: float head[L][H]; float attention_bias[L]; float ffn[L], all neurons together;
//       float ffn_bias[L];
//       NeuronTerm neurons[neurons], the strongest of all layers, parts of ffn
struct NeuronTerm {
  uint32_t layer = 0;
  uint32_t neuron = 0;
  float term = 0.0F;
};
struct AttributionRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
  uint32_t heads = 0;
  uint32_t neurons = 0;
  int32_t token = 0;
  int32_t against = -1;
  float logit = 0.0F;      // before it is capped
  float constant = 0.0F;   // of the last norm's bias and the unembedding's
  float embedding = 0.0F;  // of what the layers begin with
  float rest = 0.0F;       // what rounding leaves: of inputs to 8 bits, where weights are quantised
};

// Of a mixture, to the AttributionRecord of the same position and tokens: what each expert that
// worked added, parts of ffn.
// then: ExpertTerm terms[terms], by layer
struct ExpertTerm {
  uint32_t layer = 0;
  uint32_t expert = 0;  // the one that always works counts last
  float term = 0.0F;
};
struct ExpertTermsRecord {
  uint32_t position = 0;
  uint32_t terms = 0;
  int32_t token = 0;
  int32_t against = -1;
};

// What brightness is measured against: the 99th percentile of a measure's size in a layer, to a few
// per cent, over all that this run of the program has seen, other conversations and the rest of the
// batch of a prompt too.
enum class Measure : uint32_t {
  kHeadShare = 0,
  kKvRead = 1,       // KvRecord.read
  kActivation = 2,   // FfnRecord.rms
  kNeuronShare = 3,  // of all neurons; live, of a large model, of the listed ones
  kUpdate = 4,
};
inline constexpr uint32_t kMeasureCount = 5;

// then: float p99[L][kMeasureCount]
struct ScaleRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
};

// Each from the end of the one before to its own end; writing the pass down comes behind the last.
// Of a batch each position has its part.
// then: OperationTime[operations]
struct TimeRecord {
  uint32_t position = 0;
  uint32_t operations = 0;
};
enum class Operation : uint32_t { kEmbed = 0, kAttention = 1, kFfn = 2, kUnembed = 3 };
struct OperationTime {
  Operation operation = Operation::kEmbed;
  uint32_t layer = 0;
  uint64_t ns = 0;
  uint64_t bytes = 0;  // of weights and KV cache read
};

// A whole tensor, asked for through engine/control.h. then: float values[rows][cols];
// name, formula (bytes). When the tensor is larger than fits, values are means of
// blocks and full_* tell the true shape; the statistics are always of every value, of a mixture's
// neurons of those at work.
struct TensorRecord {
  uint64_t request = 0;
  uint32_t position = 0;
  uint32_t rows = 0;
  uint32_t cols = 0;
  uint32_t full_rows = 0;
  uint32_t full_cols = 0;
  float min = 0.0F;
  float max = 0.0F;
  float mean = 0.0F;
  float rms = 0.0F;
  uint32_t name_bytes = 0;
  uint32_t formula_bytes = 0;
  uint32_t reserved = 0;
};

// kError: what was asked could not be done. kTraceFailed: the trace file could not be written on.
// kModelFailed: the model's numbers are none.
enum class NoteKind : uint32_t {
  kInfo = 0,
  kFinished = 1,
  kError = 2,
  kTraceFailed = 3,
  kModelFailed = 4,
  kFailed = 5  // for another reason than what was asked or the model
};
// then: the sentence
struct NoteRecord {
  NoteKind kind = NoteKind::kInfo;
  uint32_t text_bytes = 0;
};

enum StructureFlag : uint32_t {
  kStructureParallel = 1,     // attention and FFN read the same x and are added to it together
  kStructurePostNorms = 2,    // each update is normalised before it is added
  kStructureGated = 4,        // act = f(gate) * up, rather than f(up)
  kStructureTied = 8,         // the unembedding is the embedding
  kStructurePositions = 16,   // learned positions are added to the embedding
  kStructureSynthetic = 32,   // no model ran: the numbers of this trace are invented
  kStructureSilu = 64,        // f is silu
  kStructureGelu = 128,       // f is gelu; neither: the trace does not say
  kStructureHeadNorms = 256,  // queries and keys are normalised, head by head ...
  kStructureProjectionNorms = 512,     // ... or all heads of a projection together; both: head by
                                       // head, and behind their rotation
  kStructureBiases = 1024,             // something is added to what W_O gives ...
  kStructureHeadBiases = 2048,         // ... and to queries, keys and values
  kStructureRotated = 4096,            // queries and keys are rotated by their position
  kStructureScoreCap = 8192,           // scores are bent to stay below a cap ...
  kStructureLogitCap = 16384,          // ... and so are logits
  kStructureRootScale = 32768,         // scores are q . k / sqrt(D); else by another factor
  kStructureRenormalised = 65536,      // the chosen experts' probabilities are divided by their sum
  kStructureScaledEmbedding = 131072,  // the embedding is multiplied by a factor
  kStructureOutputBias = 262144,       // something is added to the logits
  kStructureFfnBiases = 524288,        // to what W_gate, W_up and W_down give
  kStructureBareReads = 1048576,       // attention and FFN read x, not a norm of it
  kStructureScaledUpdates = 2097152,   // each update is multiplied by a factor before it is added
  kStructureScaledLogits = 4194304,    // and so are logits
  kStructureSomeRotated = 8388608,     // of kStructureRotated: not in every layer
  kStructureSinks = 16777216,  // a_j = e^s_j / (e^sink_h + sum_i e^s_i): a head reads less than all
  kStructureClampedSwiglu = 33554432,  // f(g) = g sigmoid(1.702 g), g <= 7; act = f(gate) (up + 1),
                                       // |up| <= 7
  kStructureRouterBias = 67108864,     // something is added to what W_router gives
  kStructureTempered = 134217728,      // queries are multiplied by a factor of their position
  kStructureSigmoidRouter = 268435456, // p_e = sigmoid of the router's logit; else softmax of all
  kStructureChoiceBias = 536870912,    // the chosen experts are those of largest p_e + b_e
  kStructureScaledExperts = 1073741824,  // the chosen experts' weights are multiplied by a factor
  kStructureSharedWhole = 2147483648,    // what always works is taken whole; else as its gate says
};

// How the model is built, as far as a picture of it needs it. Traces without it are of a dense
// model without windows.
struct StructureRecord {
  uint32_t flags = 0;            // of StructureFlag
  uint32_t trained_context = 0;  // positions; ModelRecord.context may be less
  uint32_t query_width = 0;      // of all heads: columns of W_O
  uint32_t kv_width = 0;         // numbers kept a position and layer, keys and values together
  uint32_t window = 0;           // positions that a windowed layer sees; 0: all layers see all
  uint32_t window_period = 1;    // of so many layers the last is not windowed; 1: all are
  uint32_t experts = 0;          // E; 0: dense
  uint32_t experts_used = 0;     // the router's best, a token
  uint32_t expert_neurons = 0;   // of one expert: expert e's n-th is neuron e * expert_neurons + n
  uint32_t shared_neurons = 0;   // of what always works, behind those of the experts
  uint32_t dense_layers = 0;     // leading layers of a mixture that have one FFN instead ...
  uint32_t dense_neurons = 0;    // ... of so many neurons
};

// Whether a KV head's value is the beginning of its key: latent attention (DeepSeek-V2,
// arXiv:2405.04434), with one KV head for all heads.
constexpr bool latent(const ModelRecord& m, const StructureRecord& s) {
  return s.kv_width == uint64_t{m.kv_heads} * m.head_width;
}

constexpr bool windowed(const StructureRecord& s, uint32_t layer) {
  return s.window > 0 && (s.window_period <= 1 || layer % s.window_period != s.window_period - 1);
}

// An expert's term of the FFN update. expert E is the one that always works.
struct ExpertShare {
  uint32_t expert = 0;
  float weight = 0.0F;  // G_e, which its output is multiplied by: its probability, where the model
                        // does so divided by the sum of the chosen and multiplied by a factor; of
                        // expert E what its gate says, 1 without one
  float share = 0.0F;   // <G_e FFN_e, df> / |df|^2; sums to 1 over all that worked
};

// What the routers of a mixture decided. then: float probability[L][experts];
// ExpertShare used[L][used], by what they were chosen by, what always works last; zeros in layers
// without experts
struct ExpertsRecord {
  uint32_t position = 0;
  uint32_t layers = 0;
  uint32_t experts = 0;
  uint32_t used = 0;
};

static_assert(sizeof(StructureRecord) == 48 && sizeof(ExpertShare) == 12 &&
              sizeof(ExpertsRecord) == 16);

// Part of a tensor at a level of detail, asked for through engine/control.h: a texel is a rectangle
// of 2^row_shift x 2^col_shift cells, fewer at the tensor's end.
// then: float min[rows][cols]; mean[rows][cols]; max[rows][cols] (planes: 3), or, where a texel is
// one cell, value[rows][cols] (planes: 1); name, formula (bytes).
struct TileRecord {
  uint64_t request = 0;
  uint32_t position = 0;
  uint32_t first_row = 0;  // cells
  uint32_t first_col = 0;
  uint32_t row_shift = 0;
  uint32_t col_shift = 0;
  uint32_t rows = 0;  // texels; 0: there is nothing, and the formula says why
  uint32_t cols = 0;
  uint32_t planes = 0;
  uint32_t full_rows = 0;  // cells of the whole tensor
  uint32_t full_cols = 0;
  float read = 1.0F;  // below 1: a large matrix is still being read; what is missing is NaN, and
                      // another answer to the same request will follow
  uint32_t name_bytes = 0;
  uint32_t formula_bytes = 0;
  uint32_t reserved = 0;
};

static_assert(sizeof(ModelRecord) == 72 && sizeof(StartRecord) == 24 &&
              sizeof(ContinueRecord) == 32 && sizeof(TokenRecord) == 32);
static_assert(sizeof(StepRecord) == 16 && sizeof(ResidualRecord) == 8 && sizeof(KvRead) == 12);
static_assert(sizeof(HeadShare) == 24 && sizeof(AttentionRecord) == 16 && sizeof(KvRecord) == 24);
static_assert(sizeof(NeuronShare) == 12 && sizeof(FfnRecord) == 16 && sizeof(Candidate) == 36);
static_assert(sizeof(LogitsRecord) == 24 && sizeof(ScaleRecord) == 8 && sizeof(TimeRecord) == 8);
static_assert(sizeof(OperationTime) == 24 && sizeof(TensorRecord) == 56 && sizeof(NoteRecord) == 8);
static_assert(sizeof(LensRow) == 8 && sizeof(LensRecord) == 16 && sizeof(NeuronTerm) == 12 &&
              sizeof(AttributionRecord) == 40 && sizeof(ExpertTerm) == 12 &&
              sizeof(ExpertTermsRecord) == 16);
static_assert(sizeof(TileRecord) == 64 && sizeof(MutedPart) == 12 && sizeof(MutedRecord) == 8);

}  // namespace trace
