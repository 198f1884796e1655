#include "engine/session.h"

#include <algorithm>
#include <cmath>

#include "engine/analysis/attribution.h"
#include "engine/analysis/logit_lens.h"
#include "engine/cache.h"
#include "engine/candidates.h"
#include "engine/inspection.h"
#include "engine/interventions.h"
#include "engine/replay.h"
#include "engine/structure/structure.h"
#include "model/error.h"
#include "model/tokenizer/chat_template.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;
using trace::Topic;

namespace {

std::span<const char> chars(std::string_view s) noexcept {
  return {s.data(), s.size()};
}

int64_t choose_context(const model::Config& c, int64_t wanted) {
  if (wanted == 0) return std::min<int64_t>(c.n_ctx, 4096);
  require_context(c, wanted);
  return wanted;
}

std::vector<int32_t> text_ids(const model::Tokenizer& tokenizer, const std::string& prompt) {
  std::vector<int32_t> ids = encode_beginning(tokenizer, prompt);
  // Something has to come first; a new line is where a text begins.
  return ids.empty() ? tokenizer.encode("\n") : ids;
}

std::vector<int32_t> chat_ids(const LoadedModel& model, const Generate& what) {
  const auto chat = model::chat_of(model.file);
  if (!chat) {
    throw Error(ExitCode::kUsage, "has no chat template of a known family", model.file.name(),
                "leave out --chat");
  }
  std::vector<model::Message> messages;
  if (!what.system.empty()) messages.push_back({model::Role::kSystem, what.system});
  messages.push_back({model::Role::kUser, what.prompt});
  return encode_chat(*model.tokenizer, *chat, messages, true);
}

}  // namespace

Session::Session(LoadedModel& model, trace::Log& log, const SessionOptions& options)
    : model_(model),
      log_(log),
      options_(options),
      context_(choose_context(model.network->config(), options.context)),
      cache_(make_cache(model.network->config(), context_, options.cache.value_or(model.cache))),
      recorder_(model.network->config(), log, options.level),
      sampler_(Sampling{}),
      tiles_(model),
      logits_(static_cast<size_t>(model.network->config().n_vocab)) {
  const model::Config& c = model.network->config();
  trace::Model described = describe(c, c.name);
  described.quantisation = model.quantisation;
  described.record.context = static_cast<uint32_t>(context_);
  described.record.buckets = Detail(c, options.level).buckets;
  described.record.parameters = model.parameters;
  described.record.weights_hash = model.hash;
  write_description(described, log_);
  if (options.level != trace::Level::kOff)
    log.keep_at_least(2 * static_cast<uint64_t>(recorder_.bytes_of(context_)));
}

std::vector<int32_t> Session::ids_of(const Generate& what) const {
  std::vector<int32_t> ids = !what.tokens.empty() ? what.tokens
                             : what.chat          ? chat_ids(model_, what)
                                                  : text_ids(*model_.tokenizer, what.prompt);
  require_room(ids.size(), "the prompt");
  return ids;
}

size_t Session::length_of(const Replay& what) const {
  CHECK(!what.steps.empty() && what.steps.front().prompt);
  require_known_tokens(what, model_);
  size_t total = 0;
  for (const GivenStep& step : what.steps) {
    CHECK(!step.tokens.empty());
    total += step.tokens.size();
  }
  require_room(total, "the trace");
  return total;
}

void Session::require_possible(const Generate& what) const {
  ids_of(what);
  mutes_of(what.muted, model_.network->config());
}

void Session::require_possible(const Replay& what) const {
  length_of(what);
  mutes_of(what.muted, model_.network->config());
}

void Session::start(const Generate& what) {
  begin(ids_of(what), what);
}

void Session::start(const Replay& what) {
  const size_t total = length_of(what);
  Generate first;
  first.sampling = *what.steps.front().prompt;
  first.muted = what.muted;
  begin(what.steps.front().tokens, first);
  given_.assign(what.steps.rbegin(), std::prev(what.steps.rend()));
  limit_ = total;
  replays_ = true;
}

// How many positions can stay when these ids are asked for: none unless they go on from the prompt.
size_t Session::common_with(const std::vector<int32_t>& ids) const noexcept {
  if (steps_ == 0 || ids.size() <= prompt_) return 0;
  const size_t run = step_ends_.back();
  size_t n = 0;
  while (n < run && n + 1 < ids.size() && ids[n] == tokens_[n]) ++n;
  return n >= prompt_ ? n : 0;
}

void Session::start(std::vector<int32_t> ids, uint32_t n, const Sampling& sampling, bool go_on) {
  Generate what;
  what.n = n;
  what.sampling = sampling;
  what.go_on = go_on;
  begin(std::move(ids), what);
}

void Session::require_room(size_t tokens, const char* of) const {
  if (static_cast<int64_t>(tokens) <= context_) return;
  throw Error(
      ExitCode::kUsage,
      "it has " + std::to_string(tokens) + " tokens, the context holds " + std::to_string(context_),
      of,
      context_ < model_.network->config().n_ctx ? "shorten it or raise -c"
                                                : "shorten it: this model was trained for no more");
}

void Session::begin(std::vector<int32_t> ids, const Generate& what) {
  require_room(ids.size(), "the prompt");
  CHECK(!ids.empty());
  std::vector<model::Mute> muted = mutes_of(what.muted, model_.network->config());
  tiles_.forget_positions();
  sampling_ = what.sampling;
  sampler_ = Sampler(sampling_);
  given_.clear();
  replays_ = false;
  otherwise_ = 0;
  const size_t kept = what.go_on && what.muted == muted_parts_ ? common_with(ids) : 0;
  muted_parts_ = what.muted;
  muted_ = std::move(muted);
  tokens_ = std::move(ids);
  done_ = kept;
  while (!step_ends_.empty() &&
         (step_ends_.size() == 1 ? size_t{0} : *std::prev(step_ends_.end(), 2)) >= kept)
    step_ends_.pop_back();
  if (!step_ends_.empty()) step_ends_.back() = kept;
  steps_ = static_cast<uint32_t>(step_ends_.size());
  prompt_ = tokens_.size();
  finished_ = false;
  const size_t room = static_cast<size_t>(context_);
  limit_ = what.n == 0 ? room : std::min(room, tokens_.size() + what.n);
  if (kept == 0) began_ = std::chrono::steady_clock::now();
  note_settings(kept);
}

// That a conversation begins, or goes on behind the positions that were kept.
void Session::note_settings(size_t kept) {
  const Sampling& sampling = sampling_;
  const trace::StartRecord start{sampling.seed, sampling.temperature, sampling.top_p,
                                 sampling.top_k, options_.level};
  if (kept > 0) {
    trace::append(log_, Topic::kContinue,
                  trace::ContinueRecord{start, static_cast<uint32_t>(kept), steps_});
  } else {
    trace::append(log_, Topic::kStart, start);
    if (!muted_parts_.empty()) {
      trace::append(log_, Topic::kMuted,
                    trace::MutedRecord{static_cast<uint32_t>(muted_parts_.size()), 0},
                    std::span<const trace::MutedPart>(muted_parts_));
    }
  }
  const trace::PenaltiesRecord none;
  if (sampling.min_p != none.min_p || sampling.repeat_penalty != none.repeat ||
      sampling.frequency_penalty != none.frequency || sampling.presence_penalty != none.presence) {
    trace::append(
        log_, Topic::kPenalties,
        trace::PenaltiesRecord{sampling.min_p, sampling.repeat_penalty, sampling.frequency_penalty,
                               sampling.presence_penalty, sampling.repeat_last_n, 0});
  }
}

// Positions that the next forward pass takes, of those that are there.
size_t Session::next_batch() const {
  auto n = std::min<size_t>(model::kBatch, tokens_.size() - done_);
  if (options_.level == trace::Level::kOff) return n;
  // What a position's records take grows with what it sees.
  while (n > 1) {
    const auto fits = static_cast<size_t>(recorder_.batch(static_cast<int64_t>(done_ + n)));
    if (fits >= n) break;
    n = fits;
  }
  return n;
}

// Positions first .. first + n - 1 in one forward pass.
void Session::run_positions(size_t first, size_t n, bool want_logits) {
  const auto wall = std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::steady_clock::now() - began_)
                        .count();
  for (size_t p = first; p < first + n; ++p) {
    const std::string_view text = model_.tokenizer->label(tokens_[p]);
    const auto kind = p < prompt_ ? trace::TokenKind::kPrompt : trace::TokenKind::kGenerated;
    const uint32_t flags =
        model_.tokenizer->is_control(tokens_[p]) ? uint32_t{trace::kTokenControl} : 0;
    trace::append(log_, Topic::kToken,
                  trace::TokenRecord{static_cast<uint32_t>(p), steps_, tokens_[p], kind, wall,
                                     static_cast<uint32_t>(text.size()), flags},
                  chars(text));
  }
  const bool tapped = options_.level != trace::Level::kOff;
  if (tapped) recorder_.begin(static_cast<uint32_t>(first), static_cast<uint32_t>(n), cache_);
  model_.network->forward(std::span(tokens_).subspan(first, n), static_cast<int64_t>(first), cache_,
                          want_logits ? logits_.data() : nullptr, 1, tapped ? &recorder_ : nullptr,
                          muted_);
  if (tapped) recorder_.end();
}

std::string Session::step(const std::function<bool()>& between) {
  if (finished_) return {};
  const size_t first = done_;
  std::string text;
  while (done_ < tokens_.size()) {
    const size_t n = next_batch();
    run_positions(done_, n, done_ + n == tokens_.size());
    done_ += n;
    if (between && done_ < tokens_.size() && !between()) {
      stop();
      return {};
    }
  }
  for (size_t p = first; p < done_; ++p) text += model_.tokenizer->piece(tokens_[p]);
  require_finite(logits_, static_cast<int64_t>(done_) - 1, cache_.is_narrow());
  const Ranking ranking = sampler_.rank(logits_, Detail::kCandidates);
  Choice next = sampler_.draw(tokens_);
  if (!given_.empty() && !given_.back().prompt && given_.back().tokens.front() != next.id) {
    ++otherwise_;
    next = sampler_.choice(given_.back().tokens.front());
  }
  const auto last = static_cast<uint32_t>(done_ - 1);
  if (options_.level != trace::Level::kOff) {
    std::vector<std::string_view> texts;
    for (const Choice& choice : ranking.best) {
      texts.push_back(model_.tokenizer->label(choice.id));
    }
    recorder_.logits(last, ranking, next, texts);
  }
  if (options_.lens) read_lens({last, next.id, sampling_.temperature});
  trace::append(log_, Topic::kStep,
                trace::StepRecord{steps_, static_cast<uint32_t>(first),
                                  static_cast<uint32_t>(done_ - first), 0});
  ++steps_;
  step_ends_.push_back(done_);
  const bool ended = !options_.passes_end && model_.tokenizer->ends_generation(next.id);
  if (!given_.empty()) {
    take_given();
  } else if (ended && !replays_) {
    finish("the model ended its text");
  } else if (done_ >= limit_) {
    finish(reached());
  } else {
    tokens_.push_back(next.id);
  }
  return text;
}

void Session::take_given() {
  const GivenStep step = std::move(given_.back());
  given_.pop_back();
  tokens_.insert(tokens_.end(), step.tokens.begin(), step.tokens.end());
  if (!step.prompt) return;
  prompt_ = tokens_.size();
  const bool others = *step.prompt != std::exchange(sampling_, *step.prompt);
  sampler_ = Sampler(sampling_);
  if (others) note_settings(done_);
}

// Why there is nothing after limit_.
std::string Session::reached() const {
  if (replays_) {
    const std::string again = std::to_string(limit_) + " tokens of the trace were run again";
    return otherwise_ == 0
               ? again
               : again + "; " + std::to_string(otherwise_) + " of them would be others here";
  }
  return done_ >= static_cast<size_t>(context_) ? "the context is full"
                                                : "all tokens were generated";
}

void Session::finish(std::string_view why) {
  finished_ = true;
  note(trace::NoteKind::kFinished, why);
}

void Session::stop() {
  if (!finished_) finish("it was stopped");
}

void Session::abandon(std::string_view why, trace::NoteKind kind) {
  finished_ = true;  // also where there is no memory for the sentence
  note(kind, why);
  finish("it could not go on");
}

void Session::note(trace::NoteKind kind, std::string_view sentence) {
  trace::append(log_, Topic::kNote, trace::NoteRecord{kind, static_cast<uint32_t>(sentence.size())},
                chars(sentence));
}

void Session::inspect(const Inspect& what) {
  Inspection found;
  try {
    found = inspect_tensor(model_, past(), what);
  } catch (const std::bad_alloc&) {  // who asked waits for an answer
    found.formula = "there is not enough memory for this tensor";
  }
  const std::string_view name = what.name;
  trace::TensorRecord record;
  record.request = what.request;
  record.position = what.position;
  record.rows = static_cast<uint32_t>(found.rows);
  record.cols = static_cast<uint32_t>(found.cols);
  record.full_rows = static_cast<uint32_t>(found.full_rows);
  record.full_cols = static_cast<uint32_t>(found.full_cols);
  record.min = found.min;
  record.max = found.max;
  record.mean = found.mean;
  record.rms = found.rms;
  record.name_bytes = static_cast<uint32_t>(name.size());
  record.formula_bytes = static_cast<uint32_t>(found.formula.size());
  trace::append(log_, Topic::kTensor, record, std::span<const float>(found.values), chars(name),
                chars(found.formula));
}

bool Session::knows(uint32_t position, int32_t token) const noexcept {
  return position < done_ && token >= 0 && token < model_.network->config().n_vocab;
}

void Session::read_lens(const ReadLens& what) {
  constexpr size_t kCandidates = 5;
  if (!knows(what.position, what.token)) return;
  const std::vector<Reading> readings =
      read_layers(model_, past(), what.position, what.token, what.temperature, kCandidates);
  std::vector<trace::LensRow> rows;
  std::vector<trace::Candidate> top;
  for (const Reading& reading : readings) {
    rows.push_back({reading.probability, reading.rank});
    for (const Choice& choice : reading.best)
      top.push_back(candidate_of(choice, model_.tokenizer->label(choice.id)));
  }
  const auto layers = static_cast<uint32_t>(rows.size() - 1);
  const auto candidates = static_cast<uint32_t>(top.size() / rows.size());
  trace::append(log_, Topic::kLens,
                trace::LensRecord{what.position, layers, candidates, what.token},
                std::span<const trace::LensRow>(rows), std::span<const trace::Candidate>(top));
}

void Session::attribute(const Attribute& what) {
  constexpr size_t kNeurons = 16;
  if (!knows(what.position, what.token) || what.against >= model_.network->config().n_vocab) return;
  const Attribution a =
      attribute_logit(model_, past(), what.position, what.token, what.against, kNeurons);
  const auto f32 = [](double x) { return static_cast<float>(x); };
  const auto u32 = [](auto n) { return static_cast<uint32_t>(n); };
  const trace::AttributionRecord record{what.position,
                                        u32(a.ffn.size()),
                                        u32(a.heads.size() / a.ffn.size()),
                                        u32(a.neurons.size()),
                                        what.token,
                                        what.against,
                                        f32(a.logit),
                                        f32(a.constant),
                                        f32(a.embedding),
                                        f32(a.rest)};
  trace::append(log_, Topic::kAttribution, record, std::span<const float>(a.heads),
                std::span<const float>(a.attention_bias), std::span<const float>(a.ffn),
                std::span<const float>(a.ffn_bias), std::span<const trace::NeuronTerm>(a.neurons));
  if (a.experts.empty()) return;
  trace::append(
      log_, Topic::kExpertTerms,
      trace::ExpertTermsRecord{what.position, u32(a.experts.size()), what.token, what.against},
      std::span<const trace::ExpertTerm>(a.experts));
}

std::chrono::nanoseconds Session::read_tiles(std::chrono::nanoseconds budget) {
  return tiles_.work(budget, past(), [&](const InspectTile& what, const Tile& tile) {
    const auto u32 = [](auto n) { return static_cast<uint32_t>(n); };
    const std::string_view name = what.name;
    trace::TileRecord record;
    record.request = what.request;
    record.position = what.position;
    record.first_row = what.first_row;
    record.first_col = what.first_col;
    record.row_shift = tile.rows > 0 ? what.row_shift : 0;
    record.col_shift = tile.rows > 0 ? what.col_shift : 0;
    record.rows = u32(tile.rows);
    record.cols = u32(tile.cols);
    record.planes = tile.rows == 0 ? 0 : tile.min.empty() ? 1 : 3;
    record.full_rows = u32(tile.full_rows);
    record.full_cols = u32(tile.full_cols);
    record.read = tile.read;
    record.name_bytes = u32(name.size());
    record.formula_bytes = u32(tile.formula.size());
    trace::append(log_, Topic::kTile, record, std::span<const float>(tile.min),
                  std::span<const float>(tile.mean), std::span<const float>(tile.max), chars(name),
                  chars(tile.formula));
  });
}

}  // namespace engine
