#include "engine/analysis/attribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <tuple>

namespace engine {

namespace {

using model::Tap;

double along(const std::vector<float>& direction, const float* x) noexcept {
  return model::dot(direction.data(), x, std::ssize(direction));
}

// Before a model caps it: logit = cap tanh(raw / cap).
double raw_logit(float logit, float cap) noexcept {
  return cap > 0.0F ? double{cap} * std::atanh(double{logit} / double{cap}) : double{logit};
}

// Measures what a pass adds to the stream along a direction, and keeps what its neurons did.
class Along final : public model::TapSink {
 public:
  Along(const model::Model& network, const std::vector<float>& direction, Attribution& out)
      : network_(network), direction_(direction), out_(out) {
    const auto layers = static_cast<size_t>(network.config().n_layer);
    out.heads.resize(layers * static_cast<size_t>(network.config().n_head));
    out.attention_bias.resize(layers);
    out.ffn.resize(layers);
    out.ffn_bias.resize(layers);
    act.resize(layers);
    experts.resize(layers);
  }
  bool wants(Tap tap) const noexcept override {
    return tap == Tap::kEmbedding || tap == Tap::kHeadOut || tap == Tap::kAct ||
           tap == Tap::kExperts;
  }
  void on_tap(Tap tap, int64_t layer, int64_t /*position*/, const float* data, int64_t rows,
              int64_t cols) override {
    const auto l = static_cast<size_t>(layer);
    if (tap == Tap::kEmbedding) out_.embedding = along(direction_, data);
    if (tap == Tap::kHeadOut) {
      out_.attention_bias[l] =
          static_cast<float>(network_.head_terms(layer, data, direction_.data(), heads_of(l)));
    }
    if (tap == Tap::kAct) act[l].assign(data, data + rows * cols);
    if (tap == Tap::kExperts) experts[l].assign(data, data + rows * cols);
  }

  std::vector<std::vector<float>> act, experts;  // (L) of (N), (used, 3)

 private:
  float* heads_of(size_t l) const noexcept {
    return out_.heads.data() + l * static_cast<size_t>(network_.config().n_head);
  }

  const model::Model& network_;
  const std::vector<float>& direction_;
  Attribution& out_;
};

bool stronger(const trace::NeuronTerm& a, const trace::NeuronTerm& b) noexcept {
  return std::tuple(-std::abs(a.term), a.layer, a.neuron) <
         std::tuple(-std::abs(b.term), b.layer, b.neuron);
}

// The strongest of a layer's neurons, added to those of the layers before it, of which the n
// strongest stay.
void add_neurons(std::span<const float> terms, uint32_t layer, size_t n,
                 std::vector<trace::NeuronTerm>& strongest) {
  for (uint32_t i = 0; i < terms.size(); ++i) {
    const trace::NeuronTerm term{layer, i, terms[i]};
    if (term.term == 0.0F || std::isnan(term.term) ||
        (strongest.size() == n && !stronger(term, strongest.back())))
      continue;
    strongest.insert(std::upper_bound(strongest.begin(), strongest.end(), term, stronger), term);
    if (strongest.size() > n) strongest.pop_back();
  }
}

// What a layer's experts that worked added, of the terms of all of its neurons. worked: (n, 3) as
// Tap::kExperts.
void add_experts(std::span<const float> terms, uint32_t layer, std::span<const float> worked,
                 const model::Config& c, std::vector<trace::ExpertTerm>& experts) {
  for (size_t row = 0; row + 3 <= worked.size(); row += 3) {
    const auto e = static_cast<int64_t>(worked[row]);
    const auto own =
        terms.subspan(static_cast<size_t>(e * c.n_ff), static_cast<size_t>(c.neurons_of(e)));
    const double sum = std::accumulate(own.begin(), own.end(), 0.0);
    experts.push_back({layer, static_cast<uint32_t>(e), static_cast<float>(sum)});
  }
}

}  // namespace

Attribution attribute_logit(const LoadedModel& model, const Past& past, uint32_t position,
                            int32_t token, int32_t against, size_t neurons) {
  model::Model& network = *model.network;
  const model::Config& c = network.config();
  const model::TapPlace ends[] = {{Tap::kResidPost, c.n_layer - 1}, {Tap::kLogits, 0}};
  const std::vector<TapValues> end = run_again(model, past, position, ends);
  const std::vector<float>& stream = end[0].data;
  const auto logit = [&](int32_t id) {
    return raw_logit(end[1].data[static_cast<size_t>(id)], c.final_soft_cap);
  };
  Attribution out;
  model::Model::Readout readout = network.readout(stream.data(), token);
  out.logit = logit(token);
  if (against >= 0) {
    const model::Model::Readout other = network.readout(stream.data(), against);
    for (size_t i = 0; i < other.direction.size(); ++i) readout.direction[i] -= other.direction[i];
    readout.constant -= other.constant;
    out.logit -= logit(against);
  }
  out.constant = readout.constant;

  Along sink(network, readout.direction, out);
  run_again(model, past, position, sink);
  std::vector<float> terms;
  for (size_t l = 0; l < sink.act.size(); ++l) {
    terms.resize(static_cast<size_t>(c.neurons(static_cast<int64_t>(l))));
    out.ffn_bias[l] = static_cast<float>(
        network.neuron_terms(static_cast<int64_t>(l), sink.act[l].data(), sink.experts[l],
                             readout.direction.data(), terms.data()));
    out.ffn[l] = static_cast<float>(std::accumulate(terms.begin(), terms.end(), 0.0));
    add_neurons(terms, static_cast<uint32_t>(l), neurons, out.neurons);
    add_experts(terms, static_cast<uint32_t>(l), sink.experts[l], c, out.experts);
  }
  double all = out.constant + out.embedding;
  for (const std::vector<float>* part : {&out.heads, &out.attention_bias, &out.ffn, &out.ffn_bias})
    for (const float term : *part) all += double{term};
  // A logit at its cap says nothing of what it was.
  if (!std::isfinite(out.logit)) out.logit = all;
  out.rest = out.logit - all;
  return out;
}

}  // namespace engine
