#include "engine/structure/synthetic.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/structure/structure.h"

namespace engine {

using trace::Topic;

namespace {

constexpr uint32_t kReads = 6;     // listed of a head
constexpr uint32_t kNeurons = 16;  // listed of a layer
constexpr uint32_t kCandidates = 14;

template <class T>
std::span<const T> all(const std::vector<T>& v) {
  return {v.data(), v.size()};
}

class Writer {
 public:
  Writer(const trace::Model& model, uint64_t seed, trace::Log& log)
      : model_(model), m_(model.record), s_(model.structure), log_(log), state_(seed * 2 + 1) {}

  void step(uint32_t step, uint32_t first, uint32_t count) {
    const auto kind = step == 0 ? trace::TokenKind::kPrompt : trace::TokenKind::kGenerated;
    for (uint32_t p = first; p < first + count; ++p) {
      const std::string text = word(p);
      trace::append(
          log_, Topic::kToken,
          trace::TokenRecord{p, step, static_cast<int32_t>(p % m_.vocabulary), kind,
                             int64_t{p} * 100'000'000, static_cast<uint32_t>(text.size()), 0},
          std::span<const char>(text));
      detail(p, p + 1 == first + count);
    }
    trace::append(log_, Topic::kStep, trace::StepRecord{step, first, count, 0});
  }

 private:
  static std::string word(uint32_t position) { return " #" + std::to_string(position); }

  // [0, 1): a linear congruential generator's upper bits (Knuth's MMIX constants).
  float uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(state_ >> 40) / static_cast<float>(1U << 24);
  }

  // n terms that add up to 1: a few strong ones, some against the sum.
  void shares(std::vector<float>& out, size_t n) {
    const size_t begin = out.size();
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) {
      const float u = uniform();
      const float strength = u * u * u * u + 0.02F;
      out.push_back(uniform() < 0.15F ? -0.4F * strength : strength);
      sum += double{out.back()};
    }
    // Nearly nothing left: one term takes up the rest, so that the others stay terms of a sum.
    if (sum < 0.2) {
      out[begin] += static_cast<float>(1.0 - sum);
      sum = 1.0;
    }
    for (size_t i = begin; i < out.size(); ++i) out[i] = static_cast<float>(double{out[i]} / sum);
  }

  void detail(uint32_t p, bool last) {
    std::vector<float> rms(m_.layers * 3), update(m_.layers * 2);
    for (float& v : rms) v = 1.0F + uniform();
    for (float& v : update) v = 0.1F + 0.4F * uniform();
    trace::append(log_, Topic::kResidual, trace::ResidualRecord{p, m_.layers}, all(rms),
                  all(update));
    attention(p);
    ffn(p);
    if (s_.experts > 0) experts(p);
    if (last) logits(p);
    std::vector<float> p99;
    for (uint32_t l = 0; l < m_.layers; ++l) {
      const float head = 4.0F / static_cast<float>(m_.heads);
      for (const float v : {std::min(head, 0.6F), 0.35F, 1.0F, 0.12F, 0.5F}) p99.push_back(v);
    }
    trace::append(log_, Topic::kScale, trace::ScaleRecord{p, m_.layers}, all(p99));
  }

  // Attention falls off with distance, with a sink at the first position and one far read a lane.
  void attention(uint32_t p) {
    const uint32_t slots = p + 1;
    const uint32_t listed = std::min(slots, kReads);
    std::vector<float> read;
    read.reserve(size_t{m_.layers} * m_.kv_heads * slots);
    std::vector<float> bias(m_.layers), head_share, read_share, entropy(m_.kv_heads);
    std::vector<float> sink(m_.kv_heads), sinks;
    const bool learned = (s_.flags & trace::kStructureSinks) != 0;
    std::vector<trace::HeadShare> heads;
    std::vector<trace::KvRead> reads;
    std::vector<uint32_t> order(slots);
    for (uint32_t l = 0; l < m_.layers; ++l) {
      const size_t lanes = read.size();
      for (uint32_t k = 0; k < m_.kv_heads; ++k) {
        const size_t begin = read.size();
        const auto far = static_cast<uint32_t>(uniform() * static_cast<float>(slots));
        const float width = 1.0F + 6.0F * uniform();
        float sum = 0.0F;
        for (uint32_t j = 0; j < slots; ++j) {
          float weight = std::exp(-static_cast<float>(p - j) / width) * (0.3F + uniform());
          if (j == far) weight += 0.8F * uniform();
          if (j == 0) weight += 0.2F;
          if (windowed(s_, l) && p - j >= s_.window) weight = 0.0F;
          read.push_back(weight);
          sum += weight;
        }
        entropy[k] = 0.0F;
        sink[k] = learned ? uniform() : 0.0F;
        for (size_t j = begin; j < read.size(); ++j) {
          read[j] /= sum;
          if (read[j] > 0.0F) entropy[k] -= read[j] * std::log(read[j]);
          read[j] *= 1.0F - sink[k];
        }
      }
      head_share.clear();
      shares(head_share, m_.heads);
      for (uint32_t h = 0; h < m_.heads; ++h) {
        const float* weights = read.data() + lanes + size_t{kv_head_of(m_, h)} * slots;
        for (uint32_t j = 0; j < slots; ++j) order[j] = j;
        std::partial_sort(order.begin(), order.begin() + listed, order.end(),
                          [&](uint32_t a, uint32_t b) { return weights[a] > weights[b]; });
        read_share.clear();
        shares(read_share, listed);
        std::sort(read_share.begin(), read_share.end(), std::greater<>());
        const float told = 0.75F + 0.25F * uniform();  // of the head by the listed reads
        const float nats = entropy[kv_head_of(m_, h)];
        trace::HeadShare head{head_share[h], 1.0F, nats, 1.0F, 1.0F - told, listed};
        for (uint32_t i = 0; i < listed; ++i) {
          reads.push_back({order[i], weights[order[i]], told * read_share[i]});
          head.rest_weight -= weights[order[i]];
        }
        heads.push_back(head);
        if (learned) sinks.push_back(sink[kv_head_of(m_, h)]);
      }
    }
    trace::append(log_, Topic::kAttention, trace::AttentionRecord{p, m_.layers, m_.heads, listed},
                  all(bias), all(heads), all(reads), all(sinks));
    const std::vector<float> norms(size_t{m_.layers} * m_.kv_heads, 1.0F);
    trace::append(log_, Topic::kKv,
                  trace::KvRecord{p, m_.layers, m_.kv_heads, slots,
                                  uint64_t{slots} * m_.layers * s_.kv_width * 4},
                  all(norms), all(norms), all(read));
  }

  // Which experts work in a layer at a position; those of dense layers all do.
  std::vector<uint32_t> chosen(uint32_t p, uint32_t layer) const {
    std::vector<uint32_t> list;
    std::vector<bool> taken(s_.experts);
    uint64_t h = (uint64_t{p} * 0x9E3779B97F4A7C15U) ^ (uint64_t{layer} * 0xBF58476D1CE4E5B9U);
    while (list.size() < s_.experts_used) {
      h = (h ^ (h >> 29)) * 0x94D049BB133111EBU + 1;
      const auto e = static_cast<uint32_t>((h >> 33) % s_.experts);
      if (!taken[e]) list.push_back(e);
      taken[e] = true;
    }
    return list;
  }

  void ffn(uint32_t p) {
    const uint32_t top = std::min(m_.neurons, kNeurons);
    std::vector<float> rms(size_t{m_.layers} * m_.buckets), bucket_share, rest, bias(m_.layers);
    std::vector<float> listed;
    std::vector<trace::NeuronShare> strongest;
    for (uint32_t l = 0; l < m_.layers; ++l) {
      const uint64_t neurons = model_.neurons(l);
      std::vector<bool> works(s_.experts, s_.experts > 0 && l < s_.dense_layers);
      std::vector<uint32_t> experts_of;
      if (s_.experts > 0) experts_of = chosen(p, l);
      for (const uint32_t e : experts_of) works[e] = true;
      const auto dark = [&](uint64_t neuron) {
        const uint64_t e = s_.experts > 0 ? neuron / s_.expert_neurons : 0;
        return s_.experts > 0 && e < s_.experts && !works[e];
      };
      float* cells = rms.data() + size_t{l} * m_.buckets;
      for (uint32_t b = 0; b < m_.buckets; ++b) {
        const float u = uniform();
        const uint64_t neuron = uint64_t{b} * neurons / m_.buckets;
        cells[b] = dark(neuron) ? 0.0F : u * u * u * u * u * u * 1.2F;
      }
      shares(bucket_share, m_.buckets);
      listed.clear();
      shares(listed, top);
      std::sort(listed.begin(), listed.end(),
                [](float a, float b) { return std::abs(a) > std::abs(b); });
      const float told = 0.4F + 0.3F * uniform();
      for (uint32_t i = 0; i < top; ++i) {
        uint64_t neuron = static_cast<uint64_t>(uniform() * static_cast<float>(neurons - 1));
        if (dark(neuron)) {
          neuron = uint64_t{experts_of[i % experts_of.size()]} * s_.expert_neurons +
                   neuron % s_.expert_neurons;
        }
        strongest.push_back({static_cast<uint32_t>(neuron), 1.0F, told * listed[i]});
        cells[neuron * m_.buckets / neurons] = 0.8F + 0.4F * uniform();
      }
      rest.push_back(1.0F - told);
    }
    trace::append(log_, Topic::kFfn, trace::FfnRecord{p, m_.layers, m_.buckets, top}, all(rms),
                  all(bucket_share), all(rest), all(bias), all(strongest));
  }

  void experts(uint32_t p) {
    const uint32_t used = s_.experts_used + (s_.shared_neurons > 0 ? 1 : 0);
    std::vector<float> probability, share;
    std::vector<trace::ExpertShare> list;
    for (uint32_t l = 0; l < m_.layers; ++l) {
      const std::vector<uint32_t> worked = chosen(p, l);
      const size_t begin = probability.size();
      // The chosen ones have half of it, ever less; the others the rest in equal parts.
      const auto others = static_cast<float>(s_.experts - s_.experts_used);
      probability.resize(begin + s_.experts, others > 0.0F ? 0.5F / others : 0.0F);
      const auto n = static_cast<float>(worked.size());
      const float whole = others > 0.0F ? 0.5F : 1.0F;
      share.clear();
      shares(share, used);
      for (uint32_t i = 0; i < worked.size(); ++i) {
        const float part = 2.0F * (n - static_cast<float>(i)) / (n * (n + 1.0F));
        probability[begin + worked[i]] = whole * part;
        list.push_back({worked[i], part, share[i]});
      }
      if (s_.shared_neurons > 0) list.push_back({s_.experts, 1.0F, share.back()});
    }
    trace::append(log_, Topic::kExperts, trace::ExpertsRecord{p, m_.layers, s_.experts, used},
                  all(probability), all(list));
  }

  void logits(uint32_t p) {
    const uint32_t n = std::min(kCandidates, m_.vocabulary);
    std::vector<trace::Candidate> candidates;
    float left = 1.0F;
    for (uint32_t i = 0; i < n; ++i) {
      const std::string text = word(p + 1 + i);
      trace::Candidate c{static_cast<int32_t>((p + 1 + i) % m_.vocabulary),
                         std::log(left),
                         left * (i == 0 ? 0.5F + 0.3F * uniform() : 0.45F),
                         static_cast<uint32_t>(text.size()),
                         {}};
      std::copy(text.begin(), text.end(), c.text.begin());
      left -= c.probability;
      candidates.push_back(c);
    }
    trace::append(
        log_, Topic::kLogits,
        trace::LogitsRecord{p, n, candidates[0].id, candidates[0].probability, 1.5F, left},
        all(candidates));
  }

  const trace::Model& model_;
  const trace::ModelRecord& m_;
  const trace::StructureRecord& s_;
  trace::Log& log_;
  uint64_t state_;
};

}  // namespace

void write_synthetic(trace::Model model, const SyntheticOptions& options, trace::Log& log) {
  model.name += " (synthetic numbers)";
  model.structure.flags |= trace::kStructureSynthetic;
  write_description(model, log);
  trace::append(log, Topic::kStart,
                trace::StartRecord{options.seed, 1.0F, 1.0F, 0, trace::Level::kLive});
  Writer writer(model, options.seed, log);
  const uint32_t context = model.record.context;
  const uint32_t prompt = std::clamp(options.prompt, 1U, context);
  writer.step(0, 0, prompt);
  const uint32_t end = std::min(prompt + options.generate, context);
  for (uint32_t p = prompt; p < end; ++p) writer.step(p - prompt + 1, p, 1);
  constexpr std::string_view kEnd = "the end of the synthetic trace: no model ran";
  trace::append(log, Topic::kNote, trace::NoteRecord{trace::NoteKind::kFinished, kEnd.size()},
                std::span<const char>(kEnd));
}

}  // namespace engine
