#include "engine/trace/reader.h"

#include <algorithm>

#include "model/error.h"

namespace trace {

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

// Cuts typed pieces off a payload; every count is checked against the bytes that are left.
class Pieces {
 public:
  explicit Pieces(const Message& message) : message_(message), left_(message.payload) {}

  template <class T>
  const T* header() {
    return array<T>(1).data();
  }

  // n0 * n1 * n2 elements.
  template <class T>
  std::span<const T> array(uint64_t n0, uint64_t n1 = 1, uint64_t n2 = 1) {
    uint64_t count = 0;
    if (__builtin_mul_overflow(n0, n1, &count) || __builtin_mul_overflow(count, n2, &count) ||
        count > left_.size() / sizeof(T)) {
      throw Error(ExitCode::kBadModel,
                  "a " + std::string(topic_name(message_.topic)) +
                      " message is shorter than its counts say",
                  "trace", "the file is damaged; record it again");
    }
    const std::span<const T> result(reinterpret_cast<const T*>(left_.data()), count);
    left_ = left_.subspan(count * sizeof(T));
    return result;
  }

  std::string_view text(uint32_t bytes) {
    const auto chars = array<char>(bytes);
    return {chars.data(), chars.size()};
  }

 private:
  const Message& message_;
  std::span<const std::byte> left_;
};

// Of a token or a name that is shown: the longest of published vocabularies have some hundreds.
constexpr size_t kMostText = 4096;

[[noreturn]] void inconsistent(const char* what) {
  throw Error(ExitCode::kBadModel, what, "trace", "the file is damaged; record it again");
}

bool fits(const MutedPart& part, const Model& model) {
  if (part.layer >= model.record.layers) return false;
  if (part.kind == MutedKind::kHead) return part.index < model.record.heads;
  if (part.kind == MutedKind::kExpert) return part.index < model.experts(part.layer);
  return part.kind != MutedKind::kNeuron || part.index < model.neurons(part.layer);
}

}  // namespace

bool makes_sense(const ModelRecord& m) noexcept {
  return m.layers >= 1 && m.layers <= 4096 && m.heads >= 1 && m.heads <= 65536 && m.kv_heads >= 1 &&
         m.heads % m.kv_heads == 0 && m.head_width >= 1 &&
         uint64_t{m.heads} * m.head_width <= (1U << 26) && m.width >= 1 && m.width <= (1U << 24) &&
         m.neurons >= 1 && m.neurons <= (1U << 26) && m.buckets >= 1 && m.buckets <= m.neurons &&
         m.buckets <= 65536 && m.vocabulary >= 1 && m.context >= 1 && m.context <= (1U << 24) &&
         // A picture of it can be held in memory.
         uint64_t{m.layers} * m.heads <= (1U << 18) && uint64_t{m.layers} * m.buckets <= (1U << 21);
}

bool makes_sense(const StructureRecord& s, const ModelRecord& m) noexcept {
  constexpr uint32_t kMostWidth = 1U << 26;
  const uint64_t neurons = uint64_t{s.experts} * s.expert_neurons + s.shared_neurons;
  const bool mixture =
      s.experts >= 1 && s.experts <= 65536 && s.experts_used >= 1 && s.expert_neurons >= 1 &&
      s.experts_used <= s.experts && neurons == m.neurons && s.dense_layers < m.layers &&
      s.dense_neurons <= kMostWidth && (s.dense_layers == 0) == (s.dense_neurons == 0) &&
      uint64_t{m.layers} * s.experts <= (1U << 21);
  const bool dense = s.experts == 0 && s.experts_used == 0 && s.expert_neurons == 0 &&
                     s.shared_neurons == 0 && s.dense_layers == 0 && s.dense_neurons == 0;
  return (mixture || dense) && s.query_width >= 1 && s.query_width <= kMostWidth &&
         s.query_width % m.heads == 0 && s.kv_width >= 1 && s.kv_width <= kMostWidth &&
         s.window_period >= 1 && s.trained_context >= m.context;
}

StructureRecord structure_of(const ModelRecord& m) {
  StructureRecord s;
  s.trained_context = m.context;
  s.query_width = m.heads * m.head_width;
  s.kv_width = 2 * m.kv_heads * m.head_width;
  return s;
}

bool Reader::poll() {
  const uint64_t gone = cursor_.forget_before();
  dropped_ = gone > 0;
  forget(gone);
  cursor_.release(gone);
  bool any = false;
  for (Message message; cursor_.next(message);) {
    take(message);
    any = true;
  }
  return any;
}

const TensorAnswer* Reader::answer(uint64_t request) const {
  const auto found = answers_.find(request);
  return found == answers_.end() ? nullptr : &found->second.answer;
}

const TileAnswer* Reader::tile(uint64_t request) const {
  const auto found = tiles_.find(request);
  return found == tiles_.end() ? nullptr : &found->second.answer;
}

void Reader::forget(uint64_t chunk) {
  for (; !held_.empty() && held_.front().chunk < chunk; held_.pop_front()) {
    const Held& old = held_.front();
    // What has come again since lies in a later chunk.
    const auto let_go = [&](auto& answers) {
      const auto found = answers.find(old.key);
      if (found != answers.end() && found->second.chunk == old.chunk) answers.erase(found);
    };
    if (old.topic == Topic::kTensor) let_go(answers_);
    if (old.topic == Topic::kTile) let_go(tiles_);
    if (old.topic == Topic::kTensor || old.topic == Topic::kTile) continue;
    if (old.key >= positions_.size() || chunk_of(old.key, old.topic) != old.chunk) continue;
    Position& p = positions_[old.key];
    switch (old.topic) {
      case Topic::kResidual:
        p.residual = {};
        break;
      case Topic::kAttention:
        p.attention = {};
        break;
      case Topic::kKv:
        p.kv = {};
        break;
      case Topic::kFfn:
        p.ffn = {};
        break;
      case Topic::kExperts:
        p.experts = {};
        break;
      case Topic::kLogits:
        p.logits = {};
        break;
      case Topic::kScale:
        p.scale = {};
        break;
      case Topic::kTime:
        p.time = {};
        break;
      case Topic::kLens:
        p.lens = {};
        break;
      case Topic::kAttribution:
        p.attribution = {};
        break;
      case Topic::kExpertTerms:
        p.attribution.experts = {};
        break;
      case Topic::kTensor:  // answers: above
      case Topic::kTile:
      case Topic::kModel:  // the rest is no detail and stays
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
  }
}

const Reader::Settings* Reader::settings_of(size_t step) const {
  const Settings* last = nullptr;
  for (const Settings& s : settings_) {
    if (s.from <= step) last = &s;
  }
  return last;
}

const StartRecord* Reader::start(size_t step) const {
  const Settings* found = settings_of(step);
  return found == nullptr ? nullptr : found->start;
}

const PenaltiesRecord* Reader::penalties(size_t step) const {
  const Settings* found = settings_of(step);
  return found == nullptr ? nullptr : found->penalties;
}

void Reader::go_on(const ContinueRecord& record) {
  if (record.positions < 1 || record.positions > positions_.size()) {
    inconsistent("a conversation goes on where it has not been");
  }
  positions_.resize(record.positions);
  chunks_.resize(record.positions);
  while (!steps_.empty() && steps_.back().first_position >= record.positions) steps_.pop_back();
  if (steps_.empty() || steps_.size() != record.steps ||
      steps_.back().first_position + steps_.back().count < record.positions) {
    inconsistent("a conversation goes on where it has not been");
  }
  steps_.back().count = record.positions - steps_.back().first_position;
  answers_.clear();
  tiles_.clear();
  ++continuation_;
  kept_steps_ = steps_.size();
  while (settings_.size() > 1 && settings_.back().from >= kept_steps_) settings_.pop_back();
  settings_.push_back({kept_steps_, &record.start, nullptr});
  note_ = {};
  note_kind_ = NoteKind::kInfo;
  finished_ = false;
}

void Reader::take(const Message& message) {
  Pieces pieces(message);
  // The position that detail belongs to; its token record comes first.
  const auto at = [&](uint32_t position) -> Position& {
    if (position >= positions_.size()) inconsistent("detail of a position that has no token");
    held_.push_back({message.chunk, message.topic, position});
    chunk_of(position, message.topic) = message.chunk;
    return positions_[position];
  };
  const auto expect = [&](bool condition) {
    if (!condition) inconsistent("detail that does not fit the model's description");
  };
  if (message.topic != Topic::kModel && message.topic != Topic::kNote && !model_) {
    inconsistent("it does not begin with the model's description");
  }
  if (message.topic != Topic::kModel && message.topic != Topic::kNote) described_ = true;
  switch (message.topic) {
    case Topic::kModel: {
      if (model_) inconsistent("a second model description");
      const auto* m = pieces.header<ModelRecord>();
      if (m->schema_version > kSchemaVersion) {
        throw Error(ExitCode::kBadModel, "it was written by a newer version of this program",
                    "trace", "update fulgurite");
      }
      if (!makes_sense(*m)) inconsistent("the model's description makes no sense");
      Model model{*m, structure_of(*m), {}, {}, {}};
      model.name = pieces.text(m->name_bytes).substr(0, kMostText);
      model.architecture = pieces.text(m->architecture_bytes).substr(0, kMostText);
      model.quantisation = pieces.text(m->quantisation_bytes).substr(0, kMostText);
      model_ = std::move(model);
      break;
    }
    case Topic::kStructure: {
      if (conversation_ > 0 || !positions_.empty())
        inconsistent("a description of the model in the middle");
      const auto* s = pieces.header<StructureRecord>();
      if (!makes_sense(*s, model_->record)) inconsistent("the model's structure makes no sense");
      model_->structure = *s;
      break;
    }
    case Topic::kStart:
      settings_ = {{0, pieces.header<StartRecord>(), nullptr}};
      ++conversation_;
      positions_.clear();
      chunks_.clear();
      steps_.clear();
      answers_.clear();
      tiles_.clear();
      held_.clear();
      note_ = {};
      note_kind_ = NoteKind::kInfo;
      finished_ = false;
      muted_ = {};
      break;
    case Topic::kContinue:
      go_on(*pieces.header<ContinueRecord>());
      break;
    case Topic::kPenalties: {
      const auto* p = pieces.header<PenaltiesRecord>();
      if (settings_.empty()) inconsistent("penalties of no conversation");
      settings_.back().penalties = p;
      break;
    }
    case Topic::kMuted: {
      const auto* m = pieces.header<MutedRecord>();
      if (settings_.empty()) inconsistent("muted parts of no conversation");
      expect(m->count <= kMostMuted);
      muted_ = pieces.array<MutedPart>(m->count);
      for (const MutedPart& part : muted_) expect(fits(part, *model_));
      break;
    }
    case Topic::kToken: {
      const auto* t = pieces.header<TokenRecord>();
      if (t->position != positions_.size()) inconsistent("tokens are not in order");
      if (t->position >= model_->record.context) inconsistent("more tokens than the context holds");
      positions_.emplace_back().token = {t, pieces.text(t->text_bytes).substr(0, kMostText)};
      chunks_.emplace_back();
      break;
    }
    case Topic::kStep: {
      const auto* s = pieces.header<StepRecord>();
      const uint64_t end = uint64_t{s->first_position} + s->count;
      if (s->step != steps_.size() || s->count == 0 || end != positions_.size() ||
          (!steps_.empty() &&
           s->first_position != steps_.back().first_position + steps_.back().count)) {
        inconsistent("steps are not in order");
      }
      steps_.push_back(*s);
      break;
    }
    case Topic::kResidual: {
      const auto* r = pieces.header<ResidualRecord>();
      expect(r->layers == model_->record.layers);
      at(r->position).residual = {r, pieces.array<float>(r->layers, 3),
                                  pieces.array<float>(r->layers, 2)};
      break;
    }
    case Topic::kAttention: {
      const auto* a = pieces.header<AttentionRecord>();
      expect(a->layers == model_->record.layers && a->heads == model_->record.heads);
      Attention attention{a, {}, {}, {}, {}};
      attention.bias_share = pieces.array<float>(a->layers);
      attention.heads = pieces.array<HeadShare>(a->layers, a->heads);
      attention.reads = pieces.array<KvRead>(a->layers, a->heads, a->reads);
      if ((model_->structure.flags & kStructureSinks) != 0)
        attention.sinks = pieces.array<float>(a->layers, a->heads);
      for (const HeadShare& head : attention.heads) expect(head.reads <= a->reads);
      for (const KvRead& read : attention.reads) expect(read.position <= a->position);
      at(a->position).attention = attention;
      break;
    }
    case Topic::kKv: {
      const auto* k = pieces.header<KvRecord>();
      expect(k->layers == model_->record.layers && k->kv_heads == model_->record.kv_heads &&
             k->slots == k->position + 1);
      Kv kv{k, {}, {}, {}};
      kv.k_norm = pieces.array<float>(k->layers, k->kv_heads);
      kv.v_norm = pieces.array<float>(k->layers, k->kv_heads);
      kv.read = pieces.array<float>(k->layers, k->kv_heads, k->slots);
      at(k->position).kv = kv;
      break;
    }
    case Topic::kFfn: {
      const auto* f = pieces.header<FfnRecord>();
      expect(f->layers == model_->record.layers && f->buckets == model_->record.buckets);
      Ffn ffn{f, {}, {}, {}, {}, {}};
      ffn.rms = pieces.array<float>(f->layers, f->buckets);
      ffn.bucket_share = pieces.array<float>(f->layers, f->buckets);
      ffn.rest_share = pieces.array<float>(f->layers);
      ffn.bias_share = pieces.array<float>(f->layers);
      ffn.top = pieces.array<NeuronShare>(f->layers, f->top);
      for (const NeuronShare& n : ffn.top) expect(n.neuron < model_->record.neurons);
      at(f->position).ffn = ffn;
      break;
    }
    case Topic::kExperts: {
      const auto* e = pieces.header<ExpertsRecord>();
      const StructureRecord& s = model_->structure;
      expect(e->layers == model_->record.layers && e->experts == s.experts &&
             e->used <= s.experts_used + 1);
      Experts experts{e, {}, {}};
      experts.probability = pieces.array<float>(e->layers, e->experts);
      experts.used = pieces.array<ExpertShare>(e->layers, e->used);
      for (const ExpertShare& share : experts.used) expect(share.expert <= e->experts);
      at(e->position).experts = experts;
      break;
    }
    case Topic::kLogits: {
      const auto* l = pieces.header<LogitsRecord>();
      const auto candidates = pieces.array<Candidate>(l->candidates);
      for (const Candidate& c : candidates) expect(c.text_bytes <= c.text.size());
      at(l->position).logits = {l, candidates};
      break;
    }
    case Topic::kScale: {
      const auto* s = pieces.header<ScaleRecord>();
      expect(s->layers == model_->record.layers);
      at(s->position).scale = {s, pieces.array<float>(s->layers, kMeasureCount)};
      break;
    }
    case Topic::kTime: {
      const auto* t = pieces.header<TimeRecord>();
      at(t->position).time = {t, pieces.array<OperationTime>(t->operations)};
      break;
    }
    case Topic::kLens: {
      const auto* l = pieces.header<LensRecord>();
      expect(l->layers == model_->record.layers);
      Lens lens{l, {}, {}};
      lens.rows = pieces.array<LensRow>(l->layers + 1);
      lens.top = pieces.array<Candidate>(l->layers + 1, l->candidates);
      for (const Candidate& c : lens.top) expect(c.text_bytes <= c.text.size());
      at(l->position).lens = lens;
      break;
    }
    case Topic::kAttribution: {
      const auto* a = pieces.header<AttributionRecord>();
      expect(a->layers == model_->record.layers && a->heads == model_->record.heads);
      Attribution attribution{a, {}, {}, {}, {}, {}, {}};
      attribution.head = pieces.array<float>(a->layers, a->heads);
      attribution.attention_bias = pieces.array<float>(a->layers);
      attribution.ffn = pieces.array<float>(a->layers);
      attribution.ffn_bias = pieces.array<float>(a->layers);
      attribution.neurons = pieces.array<NeuronTerm>(a->neurons);
      for (const NeuronTerm& n : attribution.neurons)
        expect(n.layer < a->layers && n.neuron < model_->record.neurons);
      at(a->position).attribution = attribution;
      break;
    }
    case Topic::kExpertTerms: {
      const auto* e = pieces.header<ExpertTermsRecord>();
      const StructureRecord& s = model_->structure;
      expect(e->terms <= uint64_t{model_->record.layers} * (uint64_t{s.experts_used} + 1));
      const auto terms = pieces.array<ExpertTerm>(e->terms);
      for (const ExpertTerm& term : terms) {
        expect(term.layer < model_->record.layers && term.expert < model_->experts(term.layer));
      }
      Attribution& of = at(e->position).attribution;
      const bool same =
          of.record != nullptr && of.record->token == e->token && of.record->against == e->against;
      if (same) of.experts = terms;
      break;
    }
    case Topic::kTensor: {
      const auto* t = pieces.header<TensorRecord>();
      TensorAnswer answer{t, {}, {}, {}};
      answer.values = pieces.array<float>(t->rows, t->cols);
      answer.name = pieces.text(t->name_bytes);
      answer.formula = pieces.text(t->formula_bytes);
      answers_[t->request] = {message.chunk, answer};
      held_.push_back({message.chunk, message.topic, t->request});
      break;
    }
    case Topic::kTile: {
      const auto* t = pieces.header<TileRecord>();
      expect(t->planes == 1 || t->planes == 3 || (t->planes == 0 && t->rows == 0));
      expect(t->row_shift < 32 && t->col_shift < 32);
      TileAnswer answer{t, {}, {}, {}, {}, {}};
      answer.min = answer.mean = answer.max = pieces.array<float>(t->rows, t->cols);
      if (t->planes == 3) {
        answer.mean = pieces.array<float>(t->rows, t->cols);
        answer.max = pieces.array<float>(t->rows, t->cols);
      }
      answer.name = pieces.text(t->name_bytes);
      answer.formula = pieces.text(t->formula_bytes);
      tiles_[t->request] = {message.chunk, answer};
      held_.push_back({message.chunk, message.topic, t->request});
      break;
    }
    case Topic::kNote: {
      const auto* n = pieces.header<NoteRecord>();
      const std::string_view text = pieces.text(n->text_bytes);
      if (n->kind == NoteKind::kTraceFailed) {
        trace_failure_ = text;
        break;
      }
      if (n->kind == NoteKind::kFinished) finished_ = true;
      // An error stays until the next conversation; only a refused prompt gives way to another
      // error.
      const bool remark = n->kind == NoteKind::kInfo || n->kind == NoteKind::kFinished;
      if (failed() && (remark || note_kind_ != NoteKind::kError)) break;
      note_ = text;
      note_kind_ = n->kind;
      break;
    }
  }
}

}  // namespace trace
