#include "engine/replay.h"

#include <algorithm>

#include "engine/interventions.h"
#include "engine/trace/reader.h"
#include "model/error.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

Sampling sampling_of(const trace::StartRecord* start, const trace::PenaltiesRecord* penalties,
                     const std::string& path) {
  Sampling sampling;
  if (start != nullptr) {
    sampling.temperature = start->temperature;
    sampling.top_p = start->top_p;
    sampling.top_k = start->top_k;
    sampling.seed = start->seed;
  }
  if (penalties != nullptr) {
    sampling.min_p = penalties->min_p;
    sampling.repeat_penalty = penalties->repeat;
    sampling.repeat_last_n = penalties->repeat_last_n;
    sampling.frequency_penalty = penalties->frequency;
    sampling.presence_penalty = penalties->presence;
  }
  const auto within = [](float x, float low, float high) { return x >= low && x <= high; };
  if (!within(sampling.temperature, 0.0F, 100.0F) || !within(sampling.top_p, 0.0F, 1.0F) ||
      !within(sampling.min_p, 0.0F, 1.0F) || !within(sampling.repeat_penalty, 0.01F, 100.0F) ||
      !within(sampling.frequency_penalty, -100.0F, 100.0F) ||
      !within(sampling.presence_penalty, -100.0F, 100.0F) || sampling.repeat_last_n < -1) {
    throw Error(ExitCode::kBadModel, "holds settings that no sampler has", path,
                "record it again with --trace");
  }
  return sampling;
}

// The text that is encoded so, as far as one is; of special tokens the names, but for the BOS that
// comes of itself.
std::string text_of(std::span<const int32_t> ids, const model::Tokenizer& tokenizer) {
  if (!ids.empty() && tokenizer.adds_bos() && ids.front() == tokenizer.bos_id())
    ids = ids.subspan(1);
  std::string text;
  while (!ids.empty()) {
    const auto special =
        std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return tokenizer.is_control(id); });
    const auto n = static_cast<size_t>(special - ids.begin());
    text += tokenizer.decode(ids.first(n));
    if (n == ids.size()) break;
    text += tokenizer.label(ids[n]);
    ids = ids.subspan(n + 1);
  }
  return text;
}

}  // namespace

Recording read_recording(const std::string& path, size_t conversation) {
  trace::Log log;
  Recording recording;
  recording.contents = trace::load_file(path, log, conversation);
  trace::Reader reader(log);
  reader.poll();
  if (reader.model() == nullptr || reader.steps() == 0)
    throw Error(ExitCode::kBadModel, "holds no forward step", path, "record it again with --trace");
  const trace::Model& model = *reader.model();
  recording.model = model.name;
  recording.weights_hash = model.record.weights_hash;
  recording.context = model.record.context;
  size_t end = 0;
  for (size_t i = 0; i < reader.steps(); ++i) {
    const trace::StepRecord& step = reader.step(i);
    if (step.first_position != end || step.count == 0) {
      throw Error(ExitCode::kBadModel, "holds steps that do not follow each other", path,
                  "record it again with --trace");
    }
    end += step.count;
    GivenStep& given = recording.replay.steps.emplace_back();
    for (size_t p = step.first_position; p < end; ++p) {
      given.tokens.push_back(reader.position(p).token.record->id);
      recording.lens = recording.lens || reader.position(p).lens.record != nullptr;
    }
    if (i == 0 || step.count > 1 ||
        reader.position(step.first_position).token.record->kind == trace::TokenKind::kPrompt)
      given.prompt = sampling_of(reader.start(i), reader.penalties(i), path);
  }
  recording.positions = static_cast<int64_t>(end);
  recording.replay.muted.assign(reader.muted().begin(), reader.muted().end());
  const trace::StartRecord* start = reader.start(0);
  if (start != nullptr && start->level == trace::Level::kFull) recording.level = start->level;
  return recording;
}

void require_known_tokens(const Replay& replay, const LoadedModel& model) {
  const int64_t known =
      std::min<int64_t>(model.network->config().n_vocab, model.tokenizer->vocab_size());
  for (const GivenStep& step : replay.steps) {
    for (const int32_t id : step.tokens) {
      if (id >= 0 && id < known) continue;
      throw Error(
          ExitCode::kUsage,
          "it has a token " + std::to_string(id) + ", the model knows " + std::to_string(known),
          "the trace", "leave out -m to see it without the model");
    }
  }
}

void require_runnable(const Recording& recording, const LoadedModel& model,
                      const std::string& path) {
  if (recording.weights_hash != model.hash) {
    throw Error(ExitCode::kUsage,
                "was recorded with another model" +
                    (recording.model.empty() ? "" : " (" + recording.model + ")") +
                    " than " + model.file.name(),
                path, "name the file of that model with -m, or leave out -m");
  }
  require_known_tokens(recording.replay, model);
  mutes_of(recording.replay.muted, model.network->config());
  const int64_t n_ctx = model.network->config().n_ctx;
  if (recording.positions > n_ctx) {
    throw Error(ExitCode::kUsage,
                "has " + std::to_string(recording.positions) +
                    " tokens, the model knows no more than " + std::to_string(n_ctx),
                path, "leave out -m to see it without the model");
  }
}

int64_t context_of(const Recording& recording, const LoadedModel& model) {
  return std::min(std::max<int64_t>(recording.context, recording.positions),
                  model.network->config().n_ctx);
}

Generate question_of(const Replay& replay, const model::Tokenizer& tokenizer) {
  Generate question;
  question.muted = replay.muted;
  for (const GivenStep& step : replay.steps) {
    question.tokens.insert(question.tokens.end(), step.tokens.begin(), step.tokens.end());
    if (step.prompt) question.sampling = *step.prompt;
    question.n = step.prompt ? 0 : question.n + 1;
  }
  question.tokens.resize(question.tokens.size() - question.n);
  question.n = std::max(question.n, 1U);  // none would mean as many as there is room for
  question.prompt = text_of(question.tokens, tokenizer);
  return question;
}

}  // namespace engine
