#include "engine/recorder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/analysis/attribution.h"

namespace engine {

using model::Tap;
using trace::Measure;
using trace::Topic;

namespace {

float norm(const float* x, int64_t n) noexcept {
  return static_cast<float>(std::sqrt(dot(x, x, n)));
}

float root_mean_square(const float* x, int64_t n) noexcept {
  return static_cast<float>(std::sqrt(dot(x, x, n) / static_cast<double>(n)));
}

template <class T>
std::span<const T> all(const std::vector<T>& v) noexcept {
  return {v.data(), v.size()};
}

}  // namespace

uint32_t Recorder::buckets(const model::Config& config) noexcept {
  return static_cast<uint32_t>(std::min<int64_t>(config.n_ff, Detail::kBuckets));
}

Recorder::Recorder(const model::Config& config, trace::Log& log, trace::Level level)
    : config_(config), log_(log), level_(level) {
  const auto layers = static_cast<size_t>(config.n_layer);
  rms_.resize(layers * 3);
  update_.resize(layers * 2);
  head_bias_.resize(layers);
  heads_.resize(layers * static_cast<size_t>(config.n_head));
  k_norm_.resize(layers * static_cast<size_t>(config.n_head_kv));
  v_norm_.resize(k_norm_.size());
  bucket_rms_.resize(layers * buckets(config));
  bucket_share_.resize(bucket_rms_.size());
  rest_share_.resize(layers);
  ffn_bias_.resize(layers);
  top_per_layer_ = static_cast<uint32_t>(level == trace::Level::kFull
                                             ? config.n_ff
                                             : std::min<int64_t>(config.n_ff, Detail::kNeurons));
  top_.resize(layers * top_per_layer_);
  scales_.resize(layers * trace::kMeasureCount);
}

void Recorder::begin(uint32_t position, const model::KvCache& cache) {
  position_ = position;
  cache_ = &cache;
  const uint32_t reach = position + 1;
  reads_per_head_ = level_ == trace::Level::kFull ? reach : std::min(reach, Detail::kReads);
  reads_.assign(heads_.size() * reads_per_head_, {});
  read_.assign(k_norm_.size() * reach, 0.0F);
  times_.clear();
  last_operation_ = std::chrono::steady_clock::now();
}

void Recorder::on_tap(Tap tap, int64_t layer, const float* data, int64_t rows,
                      int64_t cols) noexcept {
  const auto l = static_cast<size_t>(layer);
  const auto keep = [&](std::vector<float>& copy) { copy.assign(data, data + rows * cols); };
  switch (tap) {
    case Tap::kResidPre:
      keep(resid_pre_);
      rms_[l * 3] = root_mean_square(data, cols);
      break;
    case Tap::kK:
    case Tap::kV:
      for (int64_t k = 0; k < rows; ++k) {
        auto& norms = tap == Tap::kK ? k_norm_ : v_norm_;
        norms[l * static_cast<size_t>(rows) + static_cast<size_t>(k)] = norm(data + k * cols, cols);
      }
      break;
    case Tap::kWeights:
      keep(weights_);
      break;
    case Tap::kMix:
      keep(mix_);
      break;
    case Tap::kHeadOut:
      keep(head_out_);
      break;
    case Tap::kHeadBack:
      attention_reads(layer, data);
      break;
    case Tap::kAttnOut: {
      const auto heads = static_cast<size_t>(config_.n_head);
      shares_.resize(heads);
      head_shares(head_out_.data(), data, config_.n_head, config_.n_embd, shares_);
      for (size_t h = 0; h < heads; ++h) {
        heads_[l * heads + h].share = shares_[h];
        scale(layer, Measure::kHeadShare).add(shares_[h]);
      }
      update_[l * 2] = norm(data, cols) / std::max(norm(resid_pre_.data(), cols), 1e-20F);
      scale(layer, Measure::kUpdate).add(update_[l * 2]);
      break;
    }
    case Tap::kResidMid:
      keep(resid_mid_);
      rms_[l * 3 + 1] = root_mean_square(data, cols);
      break;
    case Tap::kAct:
      keep(act_);
      break;
    case Tap::kFfnOut:
      update_[l * 2 + 1] = norm(data, cols) / std::max(norm(resid_mid_.data(), cols), 1e-20F);
      scale(layer, Measure::kUpdate).add(update_[l * 2 + 1]);
      break;
    case Tap::kFfnBack:
      neurons(layer, data);
      break;
    case Tap::kResidPost:
      rms_[l * 3 + 2] = root_mean_square(data, cols);
      break;
    default:
      break;
  }
}

void Recorder::attention_reads(int64_t layer, const float* back) noexcept {
  const auto heads = static_cast<size_t>(config_.n_head);
  const auto lanes = static_cast<size_t>(config_.n_head_kv);
  const auto reach = static_cast<size_t>(position_) + 1;
  const size_t heads_per_lane = heads / lanes;
  const int64_t stride = config_.n_head_kv * config_.head_dim;
  shares_.resize(reach);
  order_.resize(reach);
  for (size_t h = 0; h < heads; ++h) {
    const size_t lane = h / heads_per_lane;
    const float* weights = weights_.data() + h * reach;
    const int64_t at = static_cast<int64_t>(h) * config_.head_dim;
    read_shares(weights, cache_->v(layer, 0) + static_cast<int64_t>(lane) * config_.head_dim,
                stride, back + at, mix_.data() + at, config_.head_dim, shares_);

    trace::HeadShare& head = heads_[static_cast<size_t>(layer) * heads + h];
    head.norm = norm(head_out_.data() + static_cast<int64_t>(h) * config_.n_embd, config_.n_embd);
    double entropy = 0.0;
    float* read = read_.data() + (static_cast<size_t>(layer) * lanes + lane) * reach;
    for (size_t j = 0; j < reach; ++j) {
      if (weights[j] > 0.0F) entropy -= double{weights[j]} * std::log(double{weights[j]});
      read[j] += weights[j] / static_cast<float>(heads_per_lane);
    }
    head.entropy = static_cast<float>(entropy);

    std::iota(order_.begin(), order_.end(), 0U);
    std::partial_sort(order_.begin(), order_.begin() + reads_per_head_, order_.end(),
                      [&](uint32_t a, uint32_t b) {
                        const float x = std::abs(shares_[a]);
                        const float y = std::abs(shares_[b]);
                        return x != y ? x > y : a < b;
                      });
    head.reads = reads_per_head_;
    double rest_weight = 0.0;
    double rest_share = 0.0;
    for (size_t i = 0; i < reach; ++i) {
      const uint32_t j = order_[i];
      if (i < reads_per_head_) {
        reads_[(static_cast<size_t>(layer) * heads + h) * reads_per_head_ + i] = {j, weights[j],
                                                                                  shares_[j]};
      } else {
        rest_weight += double{weights[j]};
        rest_share += double{shares_[j]};
      }
    }
    head.rest_weight = static_cast<float>(rest_weight);
    head.rest_share = static_cast<float>(rest_share);
  }
  for (size_t i = 0; i < lanes * reach; ++i) {
    scale(layer, Measure::kKvRead).add(read_[static_cast<size_t>(layer) * lanes * reach + i]);
  }
}

void Recorder::neurons(int64_t layer, const float* back) noexcept {
  const size_t n_ff = act_.size();
  const size_t cells = buckets(config_);
  shares_.resize(n_ff);
  order_.resize(n_ff);
  neuron_shares(act_.data(), back, shares_);
  float* rms = bucket_rms_.data() + static_cast<size_t>(layer) * cells;
  float* cell_share = bucket_share_.data() + static_cast<size_t>(layer) * cells;
  size_t n = 0;
  for (size_t cell = 0; cell < cells; ++cell) {
    // Neuron n lies in cell n * cells / F.
    double energy = 0.0;
    double share = 0.0;
    const size_t first = n;
    for (; n < n_ff && n * cells / n_ff == cell; ++n) {
      energy += double{act_[n]} * double{act_[n]};
      share += double{shares_[n]};
      scale(layer, Measure::kNeuronShare).add(shares_[n]);
    }
    rms[cell] =
        static_cast<float>(std::sqrt(energy / static_cast<double>(std::max<size_t>(n - first, 1))));
    cell_share[cell] = static_cast<float>(share);
    scale(layer, Measure::kActivation).add(rms[cell]);
  }
  std::iota(order_.begin(), order_.end(), 0U);
  std::partial_sort(order_.begin(), order_.begin() + top_per_layer_, order_.end(),
                    [&](uint32_t a, uint32_t b) {
                      const float x = std::abs(shares_[a]);
                      const float y = std::abs(shares_[b]);
                      return x != y ? x > y : a < b;
                    });
  double rest = 0.0;
  for (size_t i = 0; i < n_ff; ++i) {
    const uint32_t neuron = order_[i];
    if (i < top_per_layer_) {
      top_[static_cast<size_t>(layer) * top_per_layer_ + i] = {neuron, act_[neuron],
                                                               shares_[neuron]};
    } else {
      rest += double{shares_[neuron]};
    }
  }
  rest_share_[static_cast<size_t>(layer)] = static_cast<float>(rest);
}

void Recorder::on_operation(int kind, int64_t layer, int64_t bytes) noexcept {
  constexpr std::array operations = {trace::Operation::kAttention, trace::Operation::kFfn,
                                     trace::Operation::kEmbed, trace::Operation::kUnembed};
  const auto now = std::chrono::steady_clock::now();
  const auto ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_operation_).count();
  times_.push_back({operations[static_cast<size_t>(kind)], static_cast<uint32_t>(layer),
                    static_cast<uint64_t>(ns), static_cast<uint64_t>(bytes)});
  last_operation_ = now;
}

void Recorder::end() {
  const auto layers = static_cast<uint32_t>(config_.n_layer);
  const auto lanes = static_cast<uint32_t>(config_.n_head_kv);
  trace::append(log_, Topic::kResidual, trace::ResidualRecord{position_, layers}, all(rms_),
                all(update_));
  trace::append(log_, Topic::kAttention,
                trace::AttentionRecord{position_, layers, static_cast<uint32_t>(config_.n_head),
                                       reads_per_head_},
                all(head_bias_), all(heads_), all(reads_));
  trace::append(
      log_, Topic::kKv,
      trace::KvRecord{position_, layers, lanes, position_ + 1,
                      static_cast<uint64_t>(cache_->bytes(config_.n_layer, position_ + 1))},
      all(k_norm_), all(v_norm_), all(read_));
  trace::append(log_, Topic::kFfn,
                trace::FfnRecord{position_, layers, buckets(config_), top_per_layer_},
                all(bucket_rms_), all(bucket_share_), all(rest_share_), all(ffn_bias_), all(top_));
  std::vector<float> p99;
  for (const Percentile& measure : scales_) p99.push_back(measure.p99());
  trace::append(log_, Topic::kScale, trace::ScaleRecord{position_, layers}, all(p99));
  trace::append(log_, Topic::kTime,
                trace::TimeRecord{position_, static_cast<uint32_t>(times_.size())}, all(times_));
}

void Recorder::logits(uint32_t position, const Ranking& ranking, const Choice& sampled,
                      const std::vector<std::string_view>& texts) {
  trace::LogitsRecord record{
      position, static_cast<uint32_t>(texts.size()), sampled.id, sampled.probability, 0.0F, 0.0F};
  std::vector<trace::Candidate> candidates;
  double rest = 1.0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const Choice& choice = ranking.best[i];
    trace::Candidate c{choice.id, choice.logit, choice.probability, 0, {}};
    c.text_bytes = static_cast<uint32_t>(std::min(texts[i].size(), c.text.size()));
    std::memcpy(c.text.data(), texts[i].data(), c.text_bytes);
    candidates.push_back(c);
    rest -= double{c.probability};
  }
  record.entropy = static_cast<float>(ranking.entropy);
  record.rest_probability = static_cast<float>(std::max(rest, 0.0));
  trace::append(log_, Topic::kLogits, record, all(candidates));
}

}  // namespace engine
