#include "engine/recorder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/candidates.h"
#include "model/arch/registry.h"
#include "model/kernels/matmul.h"
#include "model/kernels/ops.h"

namespace engine {

using model::Tap;
using trace::Measure;
using trace::Topic;

namespace {

// |y|^2 below which a sum is nothing and its terms have no share.
constexpr float kNothing = 1e-24F;

float norm(const float* x, int64_t n) noexcept {
  return static_cast<float>(std::sqrt(model::dot(x, x, n)));
}

// |x|^2; of a few the call of dot() would cost more.
double squares(const float* x, size_t n) noexcept {
  constexpr size_t kFew = 16;
  if (n > kFew) return model::dot(x, x, static_cast<int64_t>(n));
  double sum = 0.0;
  for (size_t i = 0; i < n; ++i) sum += double{x[i]} * double{x[i]};
  return sum;
}

template <class T>
std::span<const T> all(const std::vector<T>& v) noexcept {
  return {v.data(), v.size()};
}

constexpr size_t kMost = std::max(Detail::kReads, Detail::kNeurons);
static_assert(kMost <= 16);  // of order_by_size

// Lists terms of a sum of n: those numbered `first`, at most kMost, in the order of |share|,
// largest first, ties as they were, and where the list has room for all behind them the others.
// term(i, k): term i, the k-th of the first or any of the others.
template <class Term, class Make>
void list_terms(std::span<const int32_t> first, size_t n, bool others, Term* list,
                const Make& term) {
  std::array<Term, kMost> found;
  std::array<float, kMost> share;
  std::array<int32_t, kMost> order;
  for (size_t k = 0; k < first.size(); ++k) {
    found[k] = term(static_cast<size_t>(first[k]), k);
    share[k] = found[k].share;
  }
  model::order_by_size(share.data(), std::ssize(first), order.data());
  for (size_t k = 0; k < first.size(); ++k) list[k] = found[static_cast<size_t>(order[k])];
  size_t next = first.size();
  size_t i = 0;
  for (size_t k = 0; others && k <= first.size(); ++k) {
    const size_t end = k < first.size() ? static_cast<size_t>(first[k]) : n;
    for (; i < end; ++i) list[next++] = term(i, i);
    i = end + 1;
  }
}

// n values that are all going to be written, but those that a layer of fewer neurons has none for;
// what grows with every position grows by an eighth.
template <class T>
void make_room(std::vector<T>& values, size_t n) {
  if (values.capacity() < n) {
    std::vector<T>().swap(values);
    values.reserve(n + n / 8);
  }
  values.resize(n);
}

// Neuron n lies in bucket n * buckets / n_all: the first one that lies behind bucket b.
size_t end_of_bucket(size_t b, size_t buckets, size_t n_all) noexcept {
  return ((b + 1) * n_all + buckets - 1) / buckets;
}

}  // namespace

Recorder::Recorder(const model::Config& config, trace::Log& log, trace::Level level)
    : config_(config),
      log_(log),
      level_(level),
      detail_(config, level),
      scales_(static_cast<size_t>(config.n_layer) * trace::kMeasureCount) {}

int64_t Recorder::batch(int64_t reach) const noexcept {
  constexpr int64_t kBytes = int64_t{60} << 20;
  reach = std::max<int64_t>(reach, 1);
  // Of what was read from a slot, and of the scores and weights of the layer at hand; its neurons.
  const int64_t floats = config_.n_layer * config_.n_head_kv + 2 * config_.n_head;
  int64_t bytes = (reach * floats + 2 * config_.neurons()) * int64_t{sizeof(float)};
  if (lists_every()) {
    constexpr int64_t kValues = 2 * sizeof(float);
    bytes += config_.n_layer * (config_.n_head * reach + config_.neurons()) * kValues;
  }
  const int64_t n = std::clamp<int64_t>(kBytes / bytes, 1, model::kBatch);
  // Whole tiles: of a part of one nothing is gained.
  return n > model::kTilePositions ? n - n % model::kTilePositions : n;
}

int64_t Recorder::bytes_of(int64_t reach) const noexcept {
  const auto bytes = [](int64_t n, size_t each) { return n * static_cast<int64_t>(each); };
  const int64_t reads = lists_every() ? reach : int64_t{Detail::kReads};
  return config_.n_layer * (bytes(config_.n_head, sizeof(trace::HeadShare)) +
                            bytes(config_.n_head * reads, sizeof(trace::KvRead)) +
                            bytes(config_.n_head_kv * (reach + 2), sizeof(float)) +
                            bytes(detail_.buckets, 2 * sizeof(float)) +
                            bytes(detail_.neurons, sizeof(trace::NeuronShare)) +
                            bytes(config_.n_expert, sizeof(float)) +
                            bytes(config_.experts_at_work(), sizeof(trace::ExpertShare)));
}

void Recorder::shape(Position& p, uint32_t reach) {
  const auto layers = static_cast<size_t>(config_.n_layer);
  const auto lanes = static_cast<size_t>(config_.n_head_kv);
  p.rms.resize(layers * 3);
  p.update.resize(layers * 2);
  p.head_bias.resize(layers);
  p.heads.resize(layers * static_cast<size_t>(config_.n_head));
  if (config_.sinks) p.sinks.resize(p.heads.size());
  p.k_norm.resize(layers * lanes);
  p.v_norm.resize(layers * lanes);
  p.bucket_rms.resize(layers * detail_.buckets);
  p.bucket_share.resize(layers * detail_.buckets);
  p.rest_share.resize(layers);
  p.ffn_bias.resize(layers);
  const bool every = lists_every();
  const auto neurons = static_cast<size_t>(config_.neurons());
  p.act.resize(every ? 0 : neurons);
  p.top.resize(every ? 0 : layers * detail_.neurons);
  shape(p.every_neuron, every ? layers : 0, neurons);
  const int64_t used = config_.experts_at_work();
  p.router.resize(layers * static_cast<size_t>(config_.n_expert));
  p.experts.resize(config_.n_expert > 0 ? layers * static_cast<size_t>(used) : 0);
  p.reads_per_head = every ? reach : std::min(reach, Detail::kReads);
  make_room(p.reads, every ? 0 : p.heads.size() * p.reads_per_head);
  shape(p.every_read, every ? p.heads.size() : 0, reach);
  make_room(p.read, layers * lanes * reach);
}

void Recorder::shape(Values& of, size_t sums, size_t n) {
  make_room(of.value, sums * n);
  make_room(of.share, sums * n);
  of.first.resize(sums * kMost);
}

size_t Recorder::neurons(int64_t layer) const noexcept {
  return static_cast<size_t>(config_.neurons(layer));
}

std::span<float> Recorder::of_layer(std::vector<float>& every, int64_t layer) const noexcept {
  const auto n = static_cast<size_t>(config_.neurons());
  return std::span(every).subspan(static_cast<size_t>(layer) * n, neurons(layer));
}
std::span<float> Recorder::act_of(Position& p, int64_t layer) const noexcept {
  if (!lists_every()) return std::span(p.act).first(neurons(layer));
  return of_layer(p.every_neuron.value, layer);
}
std::span<float> Recorder::shares_of(Position& p, int64_t layer) const noexcept {
  return lists_every() ? of_layer(p.every_neuron.share, layer) : p.shares;
}

void Recorder::begin(uint32_t first, uint32_t n, const model::KvCache& cache) {
  first_ = first;
  n_ = n;
  cache_ = &cache;
  // Those of a larger batch before held what is needed for more to be seen now.
  positions_.resize(n);
  for (uint32_t i = 0; i < n; ++i) shape(positions_[i], first + i + 1);
  times_.clear();
  last_operation_ = std::chrono::steady_clock::now();
}

bool Recorder::wants(Tap tap) const noexcept {
  switch (tap) {
    case Tap::kResidPre:
    case Tap::kK:
    case Tap::kV:
    case Tap::kWeights:
    case Tap::kHeadShare:
    case Tap::kAttnBiasShare:
    case Tap::kAttnOut:
    case Tap::kResidMid:
    case Tap::kAct:
    case Tap::kFfnBiasShare:
    case Tap::kFfnOut:
    case Tap::kResidPost:
      return true;
    case Tap::kNeuronShare:
      return detail_.all_neurons;
    case Tap::kRouter:
    case Tap::kExperts:
      return config_.n_expert > 0;
    case Tap::kCellShare:
    case Tap::kChosenShare:
      return !detail_.all_neurons;
    default:
      return false;
  }
}

bool Recorder::wants_in(int64_t layer, Tap tap) const noexcept {
  if (!gathers_all(layer)) return wants(tap);
  return tap == Tap::kNeuronShare ||
         (tap != Tap::kCellShare && tap != Tap::kChosenShare && wants(tap));
}

void Recorder::on_tap(Tap tap, int64_t layer, int64_t position, const float* data, int64_t rows,
                      int64_t cols) {
  const auto l = static_cast<size_t>(layer);
  const auto n = static_cast<size_t>(rows * cols);
  Position& p = positions_[static_cast<size_t>(position) - first_];
  const auto keep = [&](std::vector<float>& copy) { copy.assign(data, data + n); };
  const auto keep_in = [&](std::span<float> copy) { std::copy_n(data, n, copy.begin()); };
  const auto stream = [&](size_t which) {
    const float size = norm(data, cols);
    // A parallel block's FFN reads what its attention reads.
    if (which != 1 || !config_.parallel) p.size = size;
    p.rms[l * 3 + which] = size / std::sqrt(static_cast<float>(cols));
  };
  const auto update = [&](size_t which) {
    float& u = p.update[l * 2 + which];
    u = norm(data, cols) / std::max(p.size, 1e-20F);
    scale(layer, Measure::kUpdate).add(u);
  };
  switch (tap) {
    case Tap::kResidPre:
      if (l == 0) stream(0);  // else it is what the layer before left
      return;
    case Tap::kK:
    case Tap::kV:
      for (int64_t k = 0; k < rows; ++k) {
        (tap == Tap::kK ? p.k_norm
                        : p.v_norm)[l * static_cast<size_t>(rows) + static_cast<size_t>(k)] =
            norm(data + k * cols, cols);
      }
      return;
    case Tap::kWeights:
      p.weights = data;
      return;
    case Tap::kHeadShare:
      for (size_t h = 0; h < n; ++h) {
        p.heads[l * n + h].share = data[h];
        scale(layer, Measure::kHeadShare).add(data[h]);
      }
      return;
    case Tap::kAttnBiasShare:
      p.head_bias[l] = *data;
      return;
    case Tap::kAttnOut:
      return update(0);
    case Tap::kResidMid:
      return stream(1);
    case Tap::kAct:
      return config_.mixed(layer) ? keep_act(p, layer, data) : keep_in(act_of(p, layer));
    case Tap::kRouter:
      std::copy_n(data, n, p.router.data() + l * n);
      return;
    case Tap::kExperts:
      return experts(p, layer, data, static_cast<size_t>(rows));
    case Tap::kNeuronShare:
      if (lists_every()) return keep_in(shares_of(p, layer));
      return keep(p.shares);
    case Tap::kCellShare:
      return keep(p.shares);
    case Tap::kChosenShare:
      return keep(p.chosen);
    case Tap::kFfnBiasShare:
      p.ffn_bias[l] = *data;
      return;
    case Tap::kFfnOut:
      return update(1);
    case Tap::kResidPost:
      stream(2);
      if (l * 3 + 3 < p.rms.size()) p.rms[l * 3 + 3] = p.rms[l * 3 + 2];
      return;
    default:
      return;
  }
}

// Only the experts at work, which are told before, have neurons that are not zero.
void Recorder::keep_act(Position& p, int64_t layer, const float* data) {
  const std::span<float> act = act_of(p, layer);
  const auto each = [&](const auto& part) {
    for (const uint32_t e : p.at_work) {
      part(int64_t{e} * config_.n_ff, config_.neurons_of(e));
    }
  };
  const bool behind_dense = layer > 0 && layer == config_.dense_layers;  // which wrote over all
  if (lists_every() || behind_dense) {  // at work when this layer's were kept last were others
    std::fill(act.begin(), act.end(), 0.0F);
  } else {
    each([&](int64_t first, int64_t n) { std::fill_n(act.begin() + first, n, 0.0F); });
  }
  p.at_work.clear();
  const size_t used = p.experts.size() / static_cast<size_t>(config_.n_layer);
  for (size_t k = 0; k < used; ++k) {
    p.at_work.push_back(p.experts[static_cast<size_t>(layer) * used + k].expert);
  }
  each([&](int64_t first, int64_t n) { std::copy_n(data + first, n, act.begin() + first); });
}

void Recorder::reduce(model::Operation part, int64_t layer) {
  for (uint32_t i = 0; i < n_; ++i) {
    Position& p = positions_[i];
    if (part == model::Operation::kAttention) {
      slots_read(p, layer, first_ + i + 1);
    } else {
      bucket_energy(p, layer);
      gathers_all(layer) ? all_neurons(p, layer) : cells_and_chosen(p, layer);
    }
  }
}

// What every slot of the cache was read, mean over the heads that share it.
void Recorder::slots_read(Position& p, int64_t layer, size_t reach) {
  const auto heads = static_cast<size_t>(config_.n_head);
  const auto lanes = static_cast<size_t>(config_.n_head_kv);
  const size_t heads_per_lane = heads / lanes;
  float* read = p.read.data() + static_cast<size_t>(layer) * lanes * reach;
  const float mean = 1.0F / static_cast<float>(heads_per_lane);
  for (size_t k = 0; k < lanes; ++k) {
    const float* a = p.weights + k * heads_per_lane * reach;
    float* lane = read + k * reach;
    std::copy_n(a, reach, lane);
    for (size_t h = 1; h < heads_per_lane; ++h) {
      for (size_t j = 0; j < reach; ++j) lane[j] += a[h * reach + j];
    }
    for (size_t j = 0; heads_per_lane > 1 && j < reach; ++j) lane[j] *= mean;
  }
  scale(layer, Measure::kKvRead).add(std::span<const float>(read, lanes * reach));
}

// Entropy of a head and the shares of its strongest reads: a_j (v_j . back) / energy.
void Recorder::on_head(int64_t layer, int64_t position, int64_t head,
                       const model::AttendedHead& read) {
  thread_local std::vector<float> terms;  // one of each thread
  std::array<int32_t, Detail::kReads> order;
  Position& p = positions_[static_cast<size_t>(position) - first_];
  const auto reach = static_cast<size_t>(position) + 1;
  const auto h = static_cast<size_t>(head);
  const auto heads = static_cast<size_t>(config_.n_head);
  const size_t heads_per_lane = heads / static_cast<size_t>(config_.n_head_kv);
  const size_t listed = p.reads_per_head;
  const float* a = read.weights;
  const float* s = read.scores;
  const bool every = lists_every();
  const size_t found = std::min(listed, order.size());
  model::strongest(a, static_cast<int64_t>(reach), static_cast<int64_t>(found), order.data());
  terms.resize(listed);
  model::attend_back(cache_->lane(layer, static_cast<int64_t>(h / heads_per_lane)), read.back,
                     config_.value_width(), every ? nullptr : order.data(),
                     static_cast<int64_t>(listed), terms.data());

  trace::HeadShare& out = p.heads[static_cast<size_t>(layer) * heads + h];
  const double energy = double{read.energy};
  out.norm = static_cast<float>(std::sqrt(std::max(0.0, energy)));
  out.reads = p.reads_per_head;
  const double inverse = energy > double{kNothing} ? 1.0 / energy : 0.0;
  const size_t sum = static_cast<size_t>(layer) * heads + h;
  const auto of_energy = static_cast<float>(inverse);
  const auto share_of = [&](size_t j, size_t k) {
    return a[j] * (terms[every ? j : k] * of_energy);
  };
  if (every) {
    std::copy_n(a, reach, p.every_read.value.data() + sum * reach);
    float* shares = p.every_read.share.data() + sum * reach;
    for (size_t j = 0; j < reach; ++j) shares[j] = share_of(j, j);
    std::copy_n(order.data(), found, p.every_read.first.data() + sum * kMost);
  } else {
    list_terms(std::span<const int32_t>(order.data(), found), reach, false,
               p.reads.data() + sum * listed, [&](size_t j, size_t k) {
                 return trace::KvRead{static_cast<uint32_t>(j), a[j], share_of(j, k)};
               });
  }
  double share = 0.0;
  double weight = 0.0;
  size_t most = 0;
  for (size_t k = 0; k < found; ++k) {
    const auto j = static_cast<size_t>(order[k]);
    share += double{share_of(j, k)};
    weight += double{a[j]};
    if (a[j] > a[most]) most = j;
  }
  // -sum a log a with log a_j = s_j - (s_m - log a_m): one logarithm a head. Beside a sink, of the
  // weights over their sum, which may be nothing.
  const double of_all = config_.sinks ? std::accumulate(a, a + reach, 0.0) : 1.0;
  const double level = double{s[most]} - std::log(double{a[most]} / of_all);
  const double mean_score = model::dot(a, s, static_cast<int64_t>(reach)) / of_all;
  out.entropy = of_all > 0.0 ? static_cast<float>(std::max(0.0, level - mean_score)) : 0.0F;
  if (config_.sinks) p.sinks[sum] = read.sink;
  // What is not listed, and what rounding z for the product added.
  if (listed == reach) {
    const double whole = model::dot(read.mix, read.back, config_.value_width());
    out.rest_share = static_cast<float>(inverse > 0.0 ? 1.0 - whole * inverse : 0.0);
    out.rest_weight = read.sink;
  } else {
    out.rest_share = static_cast<float>(inverse > 0.0 ? 1.0 - share : 0.0);
    out.rest_weight = static_cast<float>(1.0 - weight);
  }
}

void Recorder::experts(Position& p, int64_t layer, const float* rows, size_t n) {
  for (size_t e = 0; e < n; ++e) {
    p.experts[static_cast<size_t>(layer) * n + e] = {static_cast<uint32_t>(rows[3 * e]),
                                                     rows[3 * e + 1], rows[3 * e + 2]};
  }
}

void Recorder::bucket_energy(Position& p, int64_t layer) {
  const std::span<const float> act = act_of(p, layer);
  const size_t n_all = act.size();
  const size_t buckets = detail_.buckets;
  float* rms = p.bucket_rms.data() + static_cast<size_t>(layer) * buckets;
  Percentile& measure = scale(layer, Measure::kActivation);
  size_t n = 0;
  for (size_t b = 0; b < buckets; ++b) {
    const size_t first = n;
    n = end_of_bucket(b, buckets, n_all);
    const double energy = squares(act.data() + first, n - first);
    rms[b] =
        static_cast<float>(std::sqrt(energy / static_cast<double>(std::max<size_t>(n - first, 1))));
  }
  measure.add(std::span<const float>(rms, buckets));
}

void Recorder::all_neurons(Position& p, int64_t layer) {
  const size_t buckets = detail_.buckets;
  const std::span<const float> shares = shares_of(p, layer);
  float* share = p.bucket_share.data() + static_cast<size_t>(layer) * buckets;
  size_t i = 0;
  for (size_t b = 0; b < buckets; ++b) {
    const size_t end = end_of_bucket(b, buckets, shares.size());
    double sum = 0.0;
    for (; i < end; ++i) sum += double{shares[i]};
    share[b] = static_cast<float>(sum);
  }
  scale(layer, Measure::kNeuronShare).add(shares);
  std::array<int32_t, Detail::kNeurons> order;
  const auto found = static_cast<size_t>(model::strongest(
      shares.data(), std::ssize(shares), static_cast<int64_t>(order.size()), order.data()));
  if (lists_every()) {
    // Of fewer neurons than are listed first all are; the zeros behind them follow.
    std::iota(order.begin() + static_cast<std::ptrdiff_t>(found), order.end(),
              static_cast<int32_t>(found));
    std::copy(order.begin(), order.end(),
              p.every_neuron.first.data() + static_cast<size_t>(layer) * kMost);
    p.rest_share[static_cast<size_t>(layer)] = 0.0F;
    return;
  }
  trace::NeuronShare* top = p.top.data() + static_cast<size_t>(layer) * detail_.neurons;
  list_terms(
      std::span<const int32_t>(order.data(), found), shares.size(), false, top,
      [&](size_t neuron, size_t) {
        return trace::NeuronShare{static_cast<uint32_t>(neuron), p.act[neuron], shares[neuron]};
      });
  double rest = 0.0;
  for (size_t b = 0; b < buckets; ++b) rest += double{share[b]};
  for (size_t k = 0; k < found; ++k) rest -= double{top[k].share};
  p.rest_share[static_cast<size_t>(layer)] = static_cast<float>(rest);
}

// p.chosen: (neuron, share) pairs.
void Recorder::cells_and_chosen(Position& p, int64_t layer) {
  float* of_bucket = p.bucket_share.data() + static_cast<size_t>(layer) * detail_.buckets;
  const size_t cells =
      p.shares.size() / detail_.buckets;  // of a bucket, more than one in a mixture
  float rest = 0.0F;
  for (size_t b = 0; b < detail_.buckets; ++b) {
    of_bucket[b] = 0.0F;
    for (size_t k = 0; k < cells; ++k) of_bucket[b] += p.shares[b * cells + k];
    rest += of_bucket[b];
  }
  const size_t n = p.chosen.size() / 2;
  trace::NeuronShare* top = p.top.data() + static_cast<size_t>(layer) * detail_.neurons;
  std::array<int32_t, Detail::kNeurons> numbers;
  for (size_t k = 0; k < n; ++k) numbers[k] = static_cast<int32_t>(p.chosen[2 * k]);
  list_terms(std::span<const int32_t>(numbers.data(), n), p.act.size(), false, top,
             [&](size_t neuron, size_t k) {
               return trace::NeuronShare{static_cast<uint32_t>(neuron), p.act[neuron],
                                         p.chosen[2 * k + 1]};
             });
  for (size_t k = 0; k < n; ++k) {
    scale(layer, Measure::kNeuronShare).add(top[k].share);
    rest -= top[k].share;
  }
  p.rest_share[static_cast<size_t>(layer)] = rest;
}

void Recorder::on_operation(model::Operation which, int64_t layer, int64_t bytes) {
  constexpr std::array operations = {trace::Operation::kAttention, trace::Operation::kFfn,
                                     trace::Operation::kEmbed, trace::Operation::kUnembed};
  const auto now = std::chrono::steady_clock::now();
  const auto ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_operation_).count();
  times_.push_back({operations[static_cast<size_t>(which)], static_cast<uint32_t>(layer),
                    static_cast<uint64_t>(ns), static_cast<uint64_t>(bytes)});
  last_operation_ = now;
}

void Recorder::layers_done() {
  for (uint32_t i = 0; i < n_; ++i) write(first_ + i, positions_[i]);
}

void Recorder::end() {
  // A batch reads its weights once: each position has its part of the time and of the bytes.
  for (trace::OperationTime& time : times_) {
    time.ns /= n_;
    time.bytes /= n_;
  }
  for (uint32_t p = first_; p < first_ + n_; ++p) {
    trace::append(log_, Topic::kTime, trace::TimeRecord{p, static_cast<uint32_t>(times_.size())},
                  all(times_));
  }
}

void Recorder::write(uint32_t position, const Position& p) {
  const auto layers = static_cast<uint32_t>(config_.n_layer);
  const auto lanes = static_cast<uint32_t>(config_.n_head_kv);
  // The lists of all its sums of n.
  const auto every = [](const Values& of, size_t n, auto make) {
    return trace::filled<decltype(make(0, 0.0F, 0.0F))>(of.value.size(), [=, &of](auto* to) {
      for (size_t at = 0; at < of.value.size(); at += n) {
        const std::span<const int32_t> first(of.first.data() + at / n * kMost, std::min(n, kMost));
        const float* value = of.value.data() + at;
        const float* share = of.share.data() + at;
        list_terms(first, n, true, to + at,
                   [&](size_t i, size_t) { return make(i, value[i], share[i]); });
      }
    });
  };
  const auto reads = every(p.every_read, p.reads_per_head, [](size_t j, float weight, float share) {
    return trace::KvRead{static_cast<uint32_t>(j), weight, share};
  });
  const auto neurons =
      every(p.every_neuron, detail_.neurons, [](size_t n, float activation, float share) {
        return trace::NeuronShare{static_cast<uint32_t>(n), activation, share};
      });
  trace::append(log_, Topic::kResidual, trace::ResidualRecord{position, layers}, all(p.rms),
                all(p.update));
  trace::append(log_, Topic::kAttention,
                trace::AttentionRecord{position, layers, static_cast<uint32_t>(config_.n_head),
                                       p.reads_per_head},
                all(p.head_bias), all(p.heads), all(p.reads), reads, all(p.sinks));
  trace::append(
      log_, Topic::kKv,
      trace::KvRecord{position, layers, lanes, position + 1,
                      static_cast<uint64_t>(cache_->bytes(config_.n_layer, position + 1))},
      all(p.k_norm), all(p.v_norm), all(p.read));
  trace::append(log_, Topic::kFfn,
                trace::FfnRecord{position, layers, detail_.buckets, detail_.neurons},
                all(p.bucket_rms), all(p.bucket_share), all(p.rest_share), all(p.ffn_bias),
                all(p.top), neurons);
  if (config_.n_expert > 0) {
    trace::append(log_, Topic::kExperts,
                  trace::ExpertsRecord{position, layers, static_cast<uint32_t>(config_.n_expert),
                                       static_cast<uint32_t>(p.experts.size()) / layers},
                  all(p.router), all(p.experts));
  }
  std::vector<float> p99;
  for (const Percentile& measure : scales_) p99.push_back(measure.p99());
  // Attention weights end at 1, where the middle of a bin may lie above.
  for (size_t i = static_cast<size_t>(trace::Measure::kKvRead); i < p99.size();
       i += trace::kMeasureCount)
    p99[i] = std::min(p99[i], 1.0F);
  trace::append(log_, Topic::kScale, trace::ScaleRecord{position, layers}, all(p99));
}

void Recorder::logits(uint32_t position, const Ranking& ranking, const Choice& sampled,
                      const std::vector<std::string_view>& texts) {
  trace::LogitsRecord record{
      position, static_cast<uint32_t>(texts.size()), sampled.id, sampled.probability, 0.0F, 0.0F};
  std::vector<trace::Candidate> candidates;
  double rest = 1.0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const Choice& choice = ranking.best[i];
    candidates.push_back(candidate_of(choice, texts[i]));
    rest -= double{choice.probability};
  }
  record.entropy = static_cast<float>(ranking.entropy);
  record.rest_probability = static_cast<float>(std::max(rest, 0.0));
  trace::append(log_, Topic::kLogits, record, all(candidates));
}

}  // namespace engine
