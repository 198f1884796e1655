#include "engine/commands/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/analysis/attribution.h"
#include "engine/analysis/logit_lens.h"
#include "engine/cache.h"
#include "engine/commands/passes.h"
#include "engine/interventions.h"
#include "engine/threads.h"
#include "engine/trace/muted.h"
#include "model/error.h"
#include "model/utf8.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;
using nlohmann::ordered_json;

namespace {

// The token that is called so.
int32_t find_token(const LoadedModel& model, const std::string& text, const char* flag) {
  const model::Tokenizer& tokenizer = *model.tokenizer;
  const int32_t n = tokenizer.vocab_size();
  if (text.starts_with('#') && text.size() > 1) {
    int32_t id = -1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + 1, end, id);
    if (error == std::errc() && rest == end && id >= 0 && id < n) return id;
  }
  for (const bool bytes : {false, true}) {
    for (int32_t id = 0; id < n; ++id)
      if (tokenizer.is_byte(id) == bytes && tokenizer.label(id) == text) return id;
  }
  if (text.size() > 1 && text[0] == '#' && text.find_first_not_of("0123456789", 1) == text.npos) {
    throw Error(ExitCode::kUsage, "the vocabulary has no token " + text, flag,
                fmt::format("ids run from 0 to {}", n - 1));
  }
  const std::vector<int32_t> parts = tokenizer.encode(text);
  std::string cut;
  for (const int32_t id : parts)
    cut += fmt::format("{}{} (#{})", cut.empty() ? "" : ", ",
                       model::quoted(std::string(tokenizer.label(id))), id);
  throw Error(
      ExitCode::kUsage,
      fmt::format("the vocabulary has no token {}; as a text it is {}", model::quoted(text), cut),
      flag, "name one token, with the space before a word, or # and its id");
}

std::string shown(const LoadedModel& model, int32_t id) {
  return '"' + model::printable(std::string(model.tokenizer->label(id))) + '"';
}

ordered_json named(const LoadedModel& model, int32_t id) {
  return {{"id", id}, {"text", model.tokenizer->label(id)}};
}

// A text that was run up to a position, and what is asked about it.
class Question {
 public:
  explicit Question(const ExplainOptions& options)
      : model(options.model, thread_count(options.threads)),
        tokens(tokens_of(model, options.input)),
        muted(mutes_of(options.input.muted, model.network->config())),
        cache(
            make_cache(model.network->config(), capacity_of(options.input, tokens), model.cache)) {
    if (options.position >= static_cast<int64_t>(tokens.size())) {
      throw Error(ExitCode::kUsage,
                  fmt::format("there is no position {}: {} tokens were given", options.position,
                              tokens.size()),
                  "--position", "positions count from 0");
    }
    position = options.position < 0 ? static_cast<uint32_t>(tokens.size() - 1)
                                    : static_cast<uint32_t>(options.position);
    if (!options.against.empty()) against = find_token(model, options.against, "--against");
    if (!options.token.empty()) {
      token = find_token(model, options.token, "--token");
    } else if (position + 1 < tokens.size()) {
      token = tokens[position + 1];
    }
    const auto read = std::span<const int32_t>(tokens).first(position + 1);
    run_silently(model, read.first(position), 0, cache, muted);
    run_logits(model, read.subspan(position), position, cache, muted,
               [&](int64_t /*position*/, const float* row, int64_t /*n*/) {
                 const float* end = row + model.network->config().n_vocab;
                 if (token < 0) token = static_cast<int32_t>(std::max_element(row, end) - row);
               });
    if (token == against) {
      throw Error(ExitCode::kUsage, "both are " + shown(model, token), "--against",
                  "name another token");
    }
  }
  Past past() { return {cache, tokens, position + size_t{1}, muted}; }
  std::string place() const {
    return fmt::format("behind position {}, token {}", position, shown(model, tokens[position]));
  }
  ordered_json json() const {
    return {{"position", position},
            {"reads", named(model, tokens[position])},
            {"token", named(model, token)}};
  }

  LoadedModel model;
  std::vector<int32_t> tokens;
  std::vector<model::Mute> muted;
  model::KvCache cache;
  uint32_t position = 0;
  int32_t token = -1;
  int32_t against = -1;
};

void print(const ordered_json& json, std::ostream& out) {
  out << json.dump(1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace

int lens(const ExplainOptions& options, std::ostream& out) {
  Question question(options);
  const LoadedModel& model = question.model;
  const std::vector<Reading> readings =
      read_layers(model, question.past(), question.position, question.token, 1.0F, options.top);
  ordered_json json = question.json();
  if (!options.json) {
    out << fmt::format(
        "what the model would say {}, if the last norm and the unembedding\nread the residual "
        "stream behind this layer (logit lens, at temperature 1); rank: how many are more probable "
        "than\n{} (#{})\n\n",
        question.place(), shown(model, question.token), question.token);
    out << fmt::format("{:>9}  {:>10}  {:>6}  most probable\n", "layer",
                       shown(model, question.token), "rank");
  }
  for (size_t i = 0; i < readings.size(); ++i) {
    const Reading& reading = readings[i];
    ordered_json row = {{"layer", static_cast<int64_t>(i) - 1},
                        {"probability", reading.probability},
                        {"rank", reading.rank},
                        {"top", ordered_json::array()}};
    std::string best;
    for (const Choice& choice : reading.best) {
      ordered_json one = named(model, choice.id);
      one["logit"] = choice.logit;
      one["probability"] = choice.probability;
      row["top"].push_back(one);
      best +=
          fmt::format("  {} {:.1f} %", shown(model, choice.id), 100.0 * double{choice.probability});
    }
    json["layers"].push_back(row);
    if (options.json) continue;
    out << fmt::format("{:>9}  {:>8.2f} %  {:>6}{}\n", i == 0 ? "embedding" : std::to_string(i - 1),
                       100.0 * double{reading.probability}, reading.rank, best);
  }
  if (options.json) print(json, out);
  return 0;
}

namespace {

struct Named {
  std::string name;
  float term;
};

// As --mute names the parts, and what it leaves.
std::vector<Named> terms_of(const Attribution& a, const model::Config& c) {
  std::vector<Named> terms;
  for (size_t l = 0; l < a.ffn.size(); ++l) {
    const auto layer = static_cast<uint32_t>(l);
    const auto heads = static_cast<size_t>(c.n_head);
    for (size_t h = 0; h < heads; ++h) {
      terms.push_back({trace::name_of({trace::MutedKind::kHead, layer, static_cast<uint32_t>(h)}),
                       a.heads[l * heads + h]});
    }
    if (!c.mixed(static_cast<int64_t>(l)))
      terms.push_back({trace::name_of({trace::MutedKind::kNeurons, layer, 0}), a.ffn[l]});
    if (c.attention_biased()) terms.push_back({fmt::format("L{}.A bias", l), a.attention_bias[l]});
    if (c.ffn_biased()) terms.push_back({fmt::format("L{}.M bias", l), a.ffn_bias[l]});
  }
  for (const trace::ExpertTerm& e : a.experts)
    terms.push_back({trace::name_of({trace::MutedKind::kExpert, e.layer, e.expert}), e.term});
  terms.push_back({"embedding", static_cast<float>(a.embedding)});
  if (a.constant != 0.0) terms.push_back({"last bias", static_cast<float>(a.constant)});
  std::stable_sort(terms.begin(), terms.end(), [](const Named& x, const Named& y) {
    return std::abs(x.term) > std::abs(y.term);
  });
  return terms;
}

}  // namespace

int attribution(const ExplainOptions& options, std::ostream& out) {
  Question question(options);
  const LoadedModel& model = question.model;
  const Attribution a = attribute_logit(model, question.past(), question.position, question.token,
                                        question.against, options.top);
  const std::vector<Named> terms = terms_of(a, model.network->config());
  const size_t listed = std::min<size_t>(options.top, terms.size());
  std::vector<Named> neurons;
  for (const trace::NeuronTerm& n : a.neurons)
    neurons.push_back({trace::name_of({trace::MutedKind::kNeuron, n.layer, n.neuron}), n.term});
  if (options.json) {
    ordered_json json = question.json();
    if (question.against >= 0) json["against"] = named(model, question.against);
    json["logit"] = a.logit;
    json["rounding"] = a.rest;
    const auto list = [](const std::vector<Named>& from) {
      ordered_json all = ordered_json::array();
      for (const Named& one : from) all.push_back({{"part", one.name}, {"term", one.term}});
      return all;
    };
    json["terms"] = list(terms);  // all: they add up to the logit
    json["neurons"] = list(neurons);
    print(json, out);
    return 0;
  }
  const std::string what =
      question.against < 0
          ? fmt::format("logit of {} (#{})", shown(model, question.token), question.token)
          : fmt::format("logit of {} (#{}) above {} (#{})", shown(model, question.token),
                        question.token, shown(model, question.against), question.against);
  const bool capped = model.network->config().final_soft_cap > 0.0F;
  out << fmt::format("{} {}{}: {:.4f}\n\n", what, question.place(),
                     capped ? ", before it is capped" : "", a.logit);
  double rest = a.rest;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (i < listed) out << fmt::format("  {:<20} {:>+9.4f}\n", terms[i].name, terms[i].term);
    if (i >= listed) rest += double{terms[i].term};
  }
  out << fmt::format("  {:<20} {:>+9.4f}\n", "all the rest", rest);
  if (!neurons.empty()) out << "\nthe strongest neurons, parts of what is above\n\n";
  for (const Named& one : neurons) out << fmt::format("  {:<20} {:>+9.4f}\n", one.name, one.term);
  return 0;
}

}  // namespace engine::commands
