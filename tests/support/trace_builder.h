// Writes a synthetic trace, with no model behind it: numbers that add up as the schema says.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/trace/log.h"
#include "engine/trace/schema.h"

namespace tests {

inline std::span<const char> chars(std::string_view s) {
  return {s.data(), s.size()};
}

template <class T>
std::span<const T> all(const std::vector<T>& v) {
  return {v.data(), v.size()};
}

inline trace::ModelRecord small_model() {
  trace::ModelRecord m;
  m.layers = 3;
  m.width = 32;
  m.heads = 4;
  m.kv_heads = 2;
  m.head_width = 8;
  m.neurons = 60;
  m.vocabulary = 40;
  m.context = 64;
  m.buckets = 20;
  m.parameters = 12345;
  return m;
}

// Three experts of 16 neurons and a shared one of 12, which are the 60 of small_model().
inline trace::StructureRecord small_mixture() {
  trace::StructureRecord s;
  s.trained_context = 64;
  s.query_width = 32;
  s.kv_width = 32;
  s.experts = 3;
  s.experts_used = 2;
  s.expert_neurons = 16;
  s.shared_neurons = 12;
  return s;
}

class TraceBuilder {
 public:
  TraceBuilder(trace::Log& log, const trace::ModelRecord& model, uint64_t seed = 1)
      : log_(log), m_(model), random_(seed) {}

  void describe(const std::string& name = "synthetic") {
    m_.name_bytes = static_cast<uint32_t>(name.size());
    m_.architecture_bytes = 5;
    m_.quantisation_bytes = 3;
    trace::append(log_, trace::Topic::kModel, m_, chars(name), chars("llama"), chars("F32"));
  }
  // Of a mixture: positions then have experts.
  void structure(const trace::StructureRecord& structure) {
    structure_ = structure;
    trace::append(log_, trace::Topic::kStructure, structure_);
  }
  void start() {
    position_ = step_ = 0;
    trace::append(log_, trace::Topic::kStart,
                  trace::StartRecord{1, 0.8F, 0.95F, 40, trace::Level::kLive});
  }
  void penalties(const trace::PenaltiesRecord& p) {
    trace::append(log_, trace::Topic::kPenalties, p);
  }
  void muted(const std::vector<trace::MutedPart>& parts) {
    trace::append(log_, trace::Topic::kMuted,
                  trace::MutedRecord{static_cast<uint32_t>(parts.size()), 0}, all(parts));
  }
  // Goes on after so many positions of it, in so many steps.
  void go_on(uint32_t positions, uint32_t steps) {
    position_ = positions;
    step_ = steps;
    trace::append(
        log_, trace::Topic::kContinue,
        trace::ContinueRecord{{2, 0.8F, 0.95F, 40, trace::Level::kLive}, positions, steps});
  }
  // A forward step of so many tokens with all their detail.
  void step(uint32_t count = 1) {
    const uint32_t first = position_;
    for (uint32_t i = 0; i < count; ++i) {
      token(std::string("t").append(std::to_string(position_)));
      detail(position_++, i + 1 == count);
    }
    trace::append(log_, trace::Topic::kStep, trace::StepRecord{step_++, first, count, 0});
  }
  void token(const std::string& text) {
    const auto kind = step_ == 0 ? trace::TokenKind::kPrompt : trace::TokenKind::kGenerated;
    trace::append(
        log_, trace::Topic::kToken,
        trace::TokenRecord{position_, step_, static_cast<int32_t>(position_ % m_.vocabulary), kind,
                           int64_t{position_} * 1000, static_cast<uint32_t>(text.size()), 0},
        chars(text));
  }
  void detail(uint32_t position, bool last) {
    residual(position);
    attention(position);
    kv(position);
    ffn(position);
    if (structure_.experts > 0) experts(position);
    if (last) logits(position);
    std::vector<float> p99(m_.layers * trace::kMeasureCount);
    for (float& v : p99) v = 0.2F + 0.5F * uniform();
    trace::append(log_, trace::Topic::kScale, trace::ScaleRecord{position, m_.layers}, all(p99));
    const std::vector<trace::OperationTime> times = {{trace::Operation::kEmbed, 0, 10, 20}};
    trace::append(log_, trace::Topic::kTime, trace::TimeRecord{position, 1}, all(times));
  }
  // Two candidates behind every layer: behind layer l the token 'A' + l, at the end the one drawn.
  void lens(uint32_t position) {
    std::vector<trace::LensRow> rows;
    std::vector<trace::Candidate> top;
    for (uint32_t l = 0; l <= m_.layers; ++l) {
      rows.push_back({0.25F, l});
      const bool last = l == m_.layers;
      trace::Candidate c{last ? 2 : 100 + static_cast<int32_t>(l), 1.0F, 0.5F, 1, {}};
      c.text[0] = last ? 'c' : static_cast<char>('A' + l);
      top.insert(top.end(), 2, c);
    }
    trace::append(log_, trace::Topic::kLens, trace::LensRecord{position, m_.layers, 2, 2},
                  all(rows), all(top));
  }
  // Head h of layer l adds 10 l + h, the FFN -l.
  void attribution(uint32_t position, int32_t token = 2, int32_t against = -1) {
    std::vector<float> heads, ffn;
    const std::vector<float> bias(m_.layers);
    const std::vector<trace::NeuronTerm> neurons = {{m_.layers - 1, m_.neurons - 1, -0.5F}};
    for (uint32_t l = 0; l < m_.layers; ++l) {
      for (uint32_t h = 0; h < m_.heads; ++h) heads.push_back(static_cast<float>(10 * l + h));
      ffn.push_back(-static_cast<float>(l));
    }
    trace::append(log_, trace::Topic::kAttribution,
                  trace::AttributionRecord{position, m_.layers, m_.heads, 1, token, against, 9.0F,
                                           0.0F, 0.5F, 0.0F},
                  all(heads), all(bias), all(ffn), all(bias), all(neurons));
  }
  void expert_terms(uint32_t position, const std::vector<trace::ExpertTerm>& terms,
                    int32_t token = 2, int32_t against = -1) {
    trace::append(
        log_, trace::Topic::kExpertTerms,
        trace::ExpertTermsRecord{position, static_cast<uint32_t>(terms.size()), token, against},
        all(terms));
  }
  // rows x 2 texels of 4 x 2 cells each.
  void tile(uint64_t request, uint32_t rows = 2) {
    trace::TileRecord t;
    t.request = request;
    t.row_shift = 2;
    t.col_shift = 1;
    t.rows = rows;
    t.cols = 2;
    t.planes = 3;
    t.full_rows = rows * 4;
    t.full_cols = 4;
    t.name_bytes = 10;
    t.formula_bytes = 1;
    const std::vector<float> low(rows * 2, -1.0F), mean(rows * 2, 0.5F), high(rows * 2, 2.0F);
    trace::append(log_, trace::Topic::kTile, t, all(low), all(mean), all(high), chars("blk.0.test"),
                  chars("f"));
  }
  void answer(uint64_t request, uint32_t position, const std::vector<float>& values) {
    trace::TensorRecord t;
    t.request = request;
    t.position = position;
    t.rows = t.full_rows = 1;
    t.cols = t.full_cols = static_cast<uint32_t>(values.size());
    t.name_bytes = 4;
    t.formula_bytes = 1;
    trace::append(log_, trace::Topic::kTensor, t, all(values), chars("embd"), chars("x"));
  }
  void note(trace::NoteKind kind, std::string_view text) {
    trace::append(log_, trace::Topic::kNote,
                  trace::NoteRecord{kind, static_cast<uint32_t>(text.size())}, chars(text));
  }
  uint32_t positions() const { return position_; }
  const trace::ModelRecord& model() const { return m_; }

 private:
  float uniform() { return std::uniform_real_distribution<float>()(random_); }
  // n signed terms that add up to 1 (to rounding), a few of them strong.
  std::vector<float> shares(size_t n) {
    std::vector<float> s(n);
    double sum = 0.0;
    do {
      sum = 0.0;
      for (float& v : s) {
        v = std::pow(uniform(), 4.0F) * (uniform() < 0.25F ? -0.5F : 1.0F);
        sum += double{v};
      }
    } while (sum < 0.2);
    for (float& v : s) v = static_cast<float>(double{v} / sum);
    return s;
  }

  void residual(uint32_t position) {
    std::vector<float> rms(m_.layers * 3), update(m_.layers * 2);
    for (float& v : rms) v = 1.0F + uniform();
    for (float& v : update) v = uniform();
    trace::append(log_, trace::Topic::kResidual, trace::ResidualRecord{position, m_.layers},
                  all(rms), all(update));
  }
  void attention(uint32_t position) {
    const uint32_t listed = std::min(position + 1, 6U);
    std::vector<float> bias(m_.layers), sinks;
    std::vector<trace::HeadShare> heads;
    std::vector<trace::KvRead> reads;
    for (uint32_t l = 0; l < m_.layers; ++l) {
      for (const float share : shares(m_.heads)) {
        const std::vector<float> read = shares(position + 1);
        trace::HeadShare head{share, 1.0F, 0.5F, 0.0F, 1.0F, listed};
        if ((structure_.flags & trace::kStructureSinks) != 0) sinks.push_back(0.25F);
        for (uint32_t i = 0; i < listed; ++i) {
          reads.push_back({position - i, 1.0F / static_cast<float>(position + 1), read[i]});
          head.rest_share -= read[i];
        }
        heads.push_back(head);
      }
    }
    trace::append(log_, trace::Topic::kAttention,
                  trace::AttentionRecord{position, m_.layers, m_.heads, listed}, all(bias),
                  all(heads), all(reads), all(sinks));
  }
  void kv(uint32_t position) {
    std::vector<float> norms(m_.layers * m_.kv_heads, 1.0F), read;
    for (uint32_t lane = 0; lane < m_.layers * m_.kv_heads; ++lane) {
      std::vector<float> weights(position + 1);
      float sum = 0.0F;
      for (float& w : weights) sum += w = uniform() + 0.01F;
      for (const float w : weights) read.push_back(w / sum);
    }
    trace::append(log_, trace::Topic::kKv,
                  trace::KvRecord{position, m_.layers, m_.kv_heads, position + 1, 4096}, all(norms),
                  all(norms), all(read));
  }
  void ffn(uint32_t position) {
    const uint32_t top = std::min(m_.neurons, 16U);
    std::vector<float> rms(m_.layers * m_.buckets), bucket_share, rest(m_.layers, 1.0F),
        bias(m_.layers);
    std::vector<trace::NeuronShare> strongest;
    for (float& v : rms) v = uniform();
    for (uint32_t l = 0; l < m_.layers; ++l) {
      for (const float s : shares(m_.buckets)) bucket_share.push_back(s);
      for (uint32_t i = 0; i < top; ++i) {
        const float s = (i % 3 == 2 ? -0.3F : 0.4F) * std::pow(0.6F, static_cast<float>(i));
        strongest.push_back({(position * 7 + i * 5 + l) % m_.neurons, uniform(), s});
        rest[l] -= s;
      }
    }
    trace::append(log_, trace::Topic::kFfn, trace::FfnRecord{position, m_.layers, m_.buckets, top},
                  all(rms), all(bucket_share), all(rest), all(bias), all(strongest));
  }
  void experts(uint32_t position) {
    const uint32_t used = structure_.experts_used + (structure_.shared_neurons > 0 ? 1 : 0);
    std::vector<float> router;
    std::vector<trace::ExpertShare> shares_of;
    for (uint32_t l = 0; l < m_.layers; ++l) {
      for (uint32_t e = 0; e < structure_.experts; ++e)
        router.push_back(1.0F / static_cast<float>(structure_.experts));
      const std::vector<float> share = shares(used);
      for (uint32_t i = 0; i < used; ++i) {
        const uint32_t e = i < structure_.experts_used ? (position + i + l) % structure_.experts
                                                       : structure_.experts;
        shares_of.push_back({e, 1.0F / static_cast<float>(used), share[i]});
      }
    }
    trace::append(log_, trace::Topic::kExperts,
                  trace::ExpertsRecord{position, m_.layers, structure_.experts, used}, all(router),
                  all(shares_of));
  }
  void logits(uint32_t position) {
    std::vector<trace::Candidate> candidates;
    float rest = 1.0F;
    for (int32_t i = 0; i < 14; ++i) {
      trace::Candidate c{
          i, 5.0F - static_cast<float>(i), 0.4F * std::pow(0.6F, static_cast<float>(i)), 1, {'a'}};
      c.text[0] = static_cast<char>('a' + i);
      rest -= c.probability;
      candidates.push_back(c);
    }
    trace::append(log_, trace::Topic::kLogits,
                  trace::LogitsRecord{position, 14, 2, 0.144F, 1.5F, rest}, all(candidates));
  }

  trace::Log& log_;
  trace::ModelRecord m_;
  trace::StructureRecord structure_;
  std::mt19937_64 random_;
  uint32_t position_ = 0;
  uint32_t step_ = 0;
};

}  // namespace tests
