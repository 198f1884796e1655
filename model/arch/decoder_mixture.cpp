// A mixture of experts (Shazeer et al. 2017, arXiv:1701.06538): a router sends each position to a
// few of a layer's FFNs.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "model/arch/decoder.h"
#include "model/kernels/mixture.h"
#include "model/kernels/ops.h"

namespace model {

namespace {

// Positions of an expert for which W_down^T df costs less in floats, for which W_down is spelled
// out, than one by one.
constexpr int64_t kBacksTogether = 8;

// What the chosen experts' probabilities are divided by at least (llama.cpp: the smallest normal
// number of 16 bits).
constexpr float kLeastSum = 6.103515625e-5F;

float sigmoid(float x) noexcept {
  return 1.0F / (1.0F + std::exp(-x));
}

// The `used` largest of n values, the largest first, ties by number; what is no number comes last.
std::vector<int64_t> best(const float* value, int64_t n, int64_t used) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  const auto key = [&](int64_t e) { return std::isnan(value[e]) ? kNone : value[e]; };
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::partial_sort(order.begin(), order.begin() + used, order.end(), [&](int64_t a, int64_t b) {
    return key(a) != key(b) ? key(a) > key(b) : a < b;
  });
  order.resize(static_cast<size_t>(used));
  return order;
}

// The experts that work, best first. choice (E): added to probabilities to choose by, or nullptr.
std::vector<int64_t> choose_experts(const Config& c, const float* probability,
                                    const float* choice) {
  if (choice == nullptr && c.expert_groups == 1)
    return best(probability, c.n_expert, c.n_expert_used);
  std::vector<float> value(probability, probability + c.n_expert);
  for (size_t e = 0; choice != nullptr && e < value.size(); ++e) value[e] += choice[e];
  if (c.expert_groups > 1) {
    const int64_t in_group = c.n_expert / c.expert_groups;
    const int64_t largest = c.router == RouterKind::kSoftmax ? 1 : 2;
    std::vector<float> sum(static_cast<size_t>(c.expert_groups));  // of each group's largest
    for (int64_t g = 0; g < c.expert_groups; ++g) {
      const float* of_group = value.data() + g * in_group;
      for (const int64_t e : best(of_group, in_group, largest))
        sum[static_cast<size_t>(g)] += of_group[e];
    }
    std::vector<bool> looked_into(sum.size());
    for (const int64_t g : best(sum.data(), c.expert_groups, c.expert_groups_used))
      looked_into[static_cast<size_t>(g)] = true;
    for (size_t e = 0; e < value.size(); ++e) {
      if (!looked_into[e / static_cast<size_t>(in_group)])
        value[e] = -std::numeric_limits<float>::infinity();
    }
  }
  return best(value.data(), c.n_expert, c.n_expert_used);
}

}  // namespace

// df of the batch: of each position the sum of what its experts add, best first.
void Decoder::mixture(const Pass& pass, int64_t l) {
  const Config& c = config_;
  pool_.settle();  // as in output_projection
  route(pass, l);
  const int64_t slots = pass.n * c.experts_at_work();
  const auto fit = [&](Values& values, int64_t width, bool wanted) {
    if (!wanted || std::ssize(values) >= slots * width) return;
    values.resize(static_cast<size_t>(slots * width));
  };
  const bool some = wants_some(pass);
  const bool all = pass.wants(Tap::kNeuronShare);
  const bool in_pass = (some || all) && pass.n < kTogether;
  fit(a_.term, c.n_embd, true);
  fit(a_.slot_gate, c.widest_ffn(), pass.wants(Tap::kGate));
  fit(a_.slot_up, c.widest_ffn(), pass.wants(Tap::kUp));
  fit(a_.slot_act, c.widest_ffn(), keeps_acts(pass));
  fit(a_.slot_share, c.widest_ffn(), all);
  fit(a_.slot_cells, c.widest_ffn() / kCellWidth, some);
  if (pass.n < kTogether) {
    for (int64_t i = 0; i < pass.n; ++i) experts_together(pass, l, i, in_pass);
  } else {
    expert_by_expert(pass, l);
  }
  if (all && !in_pass) expert_backs(pass, l);
  if (some && !in_pass) gather_by_expert(pass, l);
}

// Whether shares are wanted of a mixture's cells, or of its most active neurons.
bool Decoder::wants_some(const Pass& pass) const noexcept {
  return has_whole_cells(config_) && (pass.wants(Tap::kCellShare) || pass.wants(Tap::kChosenShare));
}

bool Decoder::keeps_acts(const Pass& pass) const noexcept {
  return pass.wants(Tap::kAct) || pass.wants(Tap::kNeuronShare) || wants_some(pass);
}

// df of positions first <= i < last of what their experts give.
void Decoder::add_terms(int64_t first, int64_t last) noexcept {
  const int64_t width = config_.n_embd;
  std::fill(a_.sum.begin() + first * width, a_.sum.begin() + last * width, 0.0F);
  const int64_t workers = config_.experts_at_work();
  for (int64_t s = first * workers; s < last * workers; ++s) {
    const float weight = a_.workers[static_cast<size_t>(s)].weight;
    float* term = a_.term.data() + s * width;
    float* df = a_.sum.data() + s / workers * width;
    for (int64_t j = 0; j < width; ++j) {
      term[j] *= weight;
      df[j] += term[j];
    }
  }
}

// Who works at each position: the router's best, and behind them the expert that always does.
void Decoder::route(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  set_input(input_, a_.ffn_norm, pass.n, c.n_embd, {w.router.weight.dtype});
  matmul(w.router, input_, a_.router.data(), c.n_expert, nullptr, pool_);
  Values open(static_cast<size_t>(pass.n));
  if (!w.shared_gate.empty()) {
    set_input(input_, a_.ffn_norm, pass.n, c.n_embd, {w.shared_gate.weight.dtype});
    matmul(w.shared_gate, input_, open.data(), 1, nullptr, pool_);
  }
  a_.workers.clear();
  for (int64_t i = 0; i < pass.n; ++i) {
    float* probability = a_.router.data() + i * c.n_expert;
    if (c.router == RouterKind::kSoftmax) {
      softmax(probability, c.n_expert, probability);
    } else {
      std::transform(probability, probability + c.n_expert, probability, sigmoid);
    }
    const std::vector<int64_t> chosen = choose_experts(c, probability, w.choice);
    float divisor = 1.0F;
    if (c.expert_renormalise) {
      divisor = 0.0F;
      for (const int64_t e : chosen) divisor += probability[e];
      divisor = std::max(divisor, kLeastSum);
    }
    for (const int64_t e : chosen)
      a_.workers.push_back({e, probability[e] / divisor * c.expert_scale});
    if (c.n_ff_shared == 0) continue;
    const float taken = w.shared_gate.empty() ? 1.0F : sigmoid(open[static_cast<size_t>(i)]);
    a_.workers.push_back({c.n_expert, taken});
  }
}

// Of a dense layer the FFN is expert 0.
const Ffn& Decoder::expert(int64_t l, int64_t e) const noexcept {
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  return e < std::ssize(w.experts) ? w.experts[static_cast<size_t>(e)] : w.ffn;
}

const Ffn& Decoder::ffn_of_slot(int64_t l, int64_t slot) const noexcept {
  return expert(l, a_.workers[static_cast<size_t>(slot)].expert);
}

// Calls work(expert, its slots) for every expert that works, in order.
template <class Work>
void Decoder::for_each_expert(const Work& work) const {
  const auto of = [&](int64_t slot) { return a_.workers[static_cast<size_t>(slot)].expert; };
  std::vector<int64_t> slots(a_.workers.size());
  std::iota(slots.begin(), slots.end(), int64_t{0});
  std::stable_sort(slots.begin(), slots.end(), [&](int64_t a, int64_t b) { return of(a) < of(b); });
  for (auto begin = slots.begin(); begin != slots.end();) {
    const int64_t e = of(*begin);
    const auto end = std::find_if(begin, slots.end(), [&](int64_t s) { return of(s) != e; });
    work(e, std::span<const int64_t>(begin, end));
    begin = end;
  }
}

// What is read of the experts at work: of few positions for each of them, of many once.
size_t Decoder::experts_bytes(const Pass& pass, int64_t l) const {
  size_t bytes = 0;
  for_each_expert([&](int64_t e, std::span<const int64_t> slots) {
    bytes += expert(l, e).bytes() * (pass.n < kTogether ? slots.size() : 1);
  });
  return bytes;
}

// The rows of x (n, C) of the positions that these slots are of.
void Decoder::take_rows(const float* x, std::span<const int64_t> slots) {
  const int64_t width = config_.n_embd;
  for (size_t k = 0; k < slots.size(); ++k) {
    std::copy_n(x + slots[k] / config_.experts_at_work() * width, width,
                a_.expert_in.begin() + static_cast<int64_t>(k) * width);
  }
}

// Rows of gate, up and act, `stride` floats apart, of the slots in order.
void Decoder::activate_slots(const Pass& pass, int64_t l, std::span<const int64_t> slots,
                             int64_t stride) {
  const std::array kept_too = {
      std::tuple{pass.wants(Tap::kGate), &a_.gate, &a_.slot_gate},
      std::tuple{pass.wants(Tap::kUp), &a_.up, &a_.slot_up},
  };
  const auto work = [&](int thread, int threads) {
    const auto [begin, end] = ThreadPool::share(std::ssize(slots), thread, threads);
    for (int64_t k = begin; k < end; ++k) {
      const int64_t slot = slots[static_cast<size_t>(k)];
      const int64_t e = a_.workers[static_cast<size_t>(slot)].expert;
      const int64_t at = k * stride;
      float* act = a_.act.data() + at;
      activate(a_.gate.data() + at, a_.up.data() + at, config_.neurons_of(e), act);
      pass.mute(Part::kNeurons, l, e * config_.n_ff, config_.neurons_of(e), 1, act);
      for (const auto& [wanted, values, kept] : kept_too) {
        if (!wanted) continue;
        std::copy_n(values->begin() + at, config_.neurons_of(e),
                    kept->begin() + slot * config_.widest_ffn());
      }
    }
  };
  if (std::ssize(slots) * stride < kWorthActivating) return work(0, 1);
  pool_.run([&](int thread) { work(thread, pool_.size()); });
}

// act of the slots as their W_down reads it, which is x's rows in order.
void Decoder::keep_acts(const Pass& pass, int64_t l, std::span<const int64_t> slots,
                        const Input& x) {
  if (!keeps_acts(pass)) return;
  for (int64_t k = 0; k < std::ssize(slots); ++k) {
    const int64_t s = slots[static_cast<size_t>(k)];
    float* kept = a_.slot_act.data() + s * config_.widest_ffn();
    if (rounds_input(ffn_of_slot(l, s).down.weight.dtype)) {
      x.rounded(k, kept);
    } else {
      std::copy_n(x.row(k), x.cols(), kept);
    }
  }
}

// Of position i: the threads meet once for what all experts read, and once for what the router's
// choice writes.
void Decoder::experts_together(const Pass& pass, int64_t l, int64_t i, bool gathers) {
  const Config& c = config_;
  const int64_t stride = c.widest_ffn();
  const int64_t first = i * c.experts_at_work();
  std::vector<int64_t> slots(static_cast<size_t>(c.experts_at_work()));
  std::iota(slots.begin(), slots.end(), first);
  std::vector<Product> products;
  bool rounds = false;  // experts may be of different types
  for (const int64_t s : slots) {
    const Ffn& f = ffn_of_slot(l, s);
    rounds = rounds || rounds_input(f.gate.weight.dtype) || rounds_input(f.up.weight.dtype);
    products.push_back({&f.gate, a_.gate.data() + (s - first) * stride, stride});
    products.push_back({&f.up, a_.up.data() + (s - first) * stride, stride});
  }
  input_.set(a_.ffn_norm.data() + i * c.n_embd, 1, c.n_embd, c.n_embd, rounds, pool_);
  matmul(products, input_, pool_);
  activate_slots(pass, l, slots, stride);
  // The expert that always works has another number of neurons.
  const auto chosen = std::span(slots).first(static_cast<size_t>(c.n_expert_used));
  const auto always = std::span(slots).subspan(chosen.size());
  for (const auto& [part, x] : {std::pair{chosen, &input_}, std::pair{always, &always_input_}}) {
    if (part.empty()) continue;
    products.clear();
    rounds = false;
    for (const int64_t s : part) {
      const Linear& down = ffn_of_slot(l, s).down;
      rounds = rounds || rounds_input(down.weight.dtype);
      products.push_back({&down, a_.term.data() + s * c.n_embd, c.n_embd});
    }
    x->set(a_.act.data() + (part.front() - first) * stride, std::ssize(part),
           products.front().w->weight.cols(), stride, rounds, pool_, false);
    keep_acts(pass, l, part, *x);
    if (!gathers) matmul_each(products, *x, pool_);
  }
  if (gathers) {
    gather_mixture(pass, l, i);
  } else {
    add_terms(i, i + 1);
  }
}

// df of position i, and with it what the shares of its neurons are made of.
void Decoder::gather_mixture(const Pass& pass, int64_t l, int64_t i) {
  const Config& c = config_;
  const int64_t workers = c.experts_at_work();
  const bool some = wants_some(pass);
  if (some) choose_neurons(i);
  std::vector<MixturePart> parts;
  for (int64_t k = 0; k < workers; ++k) {
    const int64_t s = i * workers + k;
    const auto [e, weight] = a_.workers[static_cast<size_t>(s)];
    const bool always = e == c.n_expert;
    MixturePart& part = parts.emplace_back();
    part.w = &expert(l, e).down;
    part.x = always ? &always_input_ : &input_;
    part.row = always ? 0 : k;
    part.weight = weight;
    part.term = a_.term.data() + s * c.n_embd;
    if (some) part.block_dot = a_.slot_cells.data() + s * (c.widest_ffn() / kCellWidth);
    if (pass.wants(Tap::kNeuronShare)) part.back = a_.slot_share.data() + s * c.widest_ffn();
  }
  std::array<MixtureColumn, kMixtureColumns> columns;
  static_assert(kMixtureColumns == kChosenNeurons);
  for (size_t k = 0; some && k < columns.size(); ++k) {
    const auto [slot, n] = neuron_of(i, a_.chosen[static_cast<size_t>(i) * columns.size() + k]);
    columns[k] = {slot - i * workers, n};
  }
  MixtureGather gather;
  gather.row_gain = row_gain(ffn_gain_[static_cast<size_t>(l)]);
  if (some) {
    gather.columns = columns.data();
    gather.column_dot = a_.chosen_dot.data() + i * kChosenNeurons;
  }
  matmul_mixture(parts, a_.sum.data() + i * c.n_embd, gather, pool_);
}

// The neurons of position i of largest |G_e act|, in the order of the experts at work and of their
// neurons, counted through.
void Decoder::choose_neurons(int64_t i) {
  Values size;
  size.reserve(static_cast<size_t>(config_.experts_at_work() * config_.widest_ffn()));
  for (int64_t s = i * config_.experts_at_work(); s < (i + 1) * config_.experts_at_work(); ++s) {
    const auto [e, weight] = a_.workers[static_cast<size_t>(s)];
    const float* act = a_.slot_act.data() + s * config_.widest_ffn();
    for (int64_t n = 0; n < config_.neurons_of(e); ++n) size.push_back(weight * act[n]);
  }
  strongest(size.data(), std::ssize(size), kChosenNeurons, a_.chosen.data() + i * kChosenNeurons);
}

// The slot and the neuron of its expert that have this number in choose_neurons.
std::pair<int64_t, int64_t> Decoder::neuron_of(int64_t i, int64_t number) const noexcept {
  const int64_t k = std::min(number / config_.n_ff, config_.experts_at_work() - 1);
  return {i * config_.experts_at_work() + k, number - k * config_.n_ff};
}

// What gather_mixture() gathers of cells and of the most active neurons, once df is known: every
// W_down once more.
void Decoder::gather_by_expert(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const int64_t workers = c.experts_at_work();
  Values room;
  const float* u = measured_updates(pass, l, room);
  // The most active neurons of every slot, counted in their expert, in order.
  std::vector<int32_t> columns(static_cast<size_t>(pass.n * kChosenNeurons));
  std::vector<int64_t> first(a_.workers.size() + 1);
  for (int64_t i = 0; i < pass.n; ++i) {
    choose_neurons(i);
    for (auto k = static_cast<size_t>(i * kChosenNeurons);
         k < static_cast<size_t>((i + 1) * kChosenNeurons); ++k) {
      const auto [slot, n] = neuron_of(i, a_.chosen[k]);
      columns[k] = static_cast<int32_t>(n);
      ++first[static_cast<size_t>(slot) + 1];
    }
  }
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<Gather> gathers;
  for_each_expert([&](int64_t e, std::span<const int64_t> slots) {
    const Linear& down = expert(l, e).down;
    const int64_t width = config_.neurons_of(e);
    gathers.clear();
    for (const int64_t s : slots) {
      const auto slot = static_cast<size_t>(s);
      std::copy_n(a_.slot_act.begin() + s * c.widest_ffn(), width,
                  a_.act.begin() + std::ssize(gathers) * width);
      Gather& g = gathers.emplace_back();
      g.u = u + s / workers * c.n_embd;
      g.group_width = kCellWidth;
      g.group_dot = a_.slot_cells.data() + s * (c.widest_ffn() / kCellWidth);
      if (first[slot] == first[slot + 1]) continue;
      g.chosen = columns.data() + first[slot];
      g.n_chosen = first[slot + 1] - first[slot];
      g.chosen_dot = a_.chosen_dot.data() + first[slot];
    }
    input_.set(a_.act.data(), std::ssize(slots), width, width, rounds_input(down.weight.dtype),
               pool_);
    matmul(down, input_, a_.expert_out.data(), c.n_embd, gathers.data(), pool_);
  });
}

// Of many positions: every expert with all that were sent to it.
void Decoder::expert_by_expert(const Pass& pass, int64_t l) {
  const Config& c = config_;
  for_each_expert([&](int64_t e, std::span<const int64_t> slots) {
    const Ffn& f = expert(l, e);
    const auto n = std::ssize(slots);
    const int64_t width = config_.neurons_of(e);
    take_rows(a_.ffn_norm.data(), slots);
    set_input(input_, a_.expert_in, n, c.n_embd, {f.gate.weight.dtype, f.up.weight.dtype});
    const Product products[] = {{&f.gate, a_.gate.data(), width}, {&f.up, a_.up.data(), width}};
    matmul(products, input_, pool_);
    activate_slots(pass, l, slots, width);
    set_input(input_, a_.act, n, width, {f.down.weight.dtype});
    keep_acts(pass, l, slots, input_);
    matmul(f.down, input_, a_.expert_out.data(), c.n_embd, nullptr, pool_);
    for (int64_t k = 0; k < n; ++k) {
      std::copy_n(a_.expert_out.begin() + k * c.n_embd, c.n_embd,
                  a_.term.begin() + slots[static_cast<size_t>(k)] * c.n_embd);
    }
  });
  add_terms(0, pass.n);
}

// W_down^T (g^2 df) of every slot.
void Decoder::expert_backs(const Pass& pass, int64_t l) {
  const Config& c = config_;
  Values room;
  const float* u = measured_updates(pass, l, room);
  for_each_expert([&](int64_t e, std::span<const int64_t> slots) {
    const Tensor& w = expert(l, e).down.weight;
    const auto n = std::ssize(slots);
    const int64_t width = config_.neurons_of(e);
    take_rows(u, slots);
    if (n < kBacksTogether) {
      for (int64_t k = 0; k < n; ++k) {
        matmul_back(w, a_.expert_in.data() + k * c.n_embd, a_.act.data() + k * width, pool_);
      }
    } else {
      matmul_back(w, a_.expert_in.data(), n, a_.act.data(), pool_);
    }
    for (int64_t k = 0; k < n; ++k) {
      std::copy_n(a_.act.begin() + k * width, width,
                  a_.slot_share.begin() + slots[static_cast<size_t>(k)] * c.widest_ffn());
    }
  });
}

// Turns what was kept into shares and taps them.
void Decoder::expert_shares(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const int64_t workers = c.experts_at_work();
  const int64_t cells = c.widest_ffn() / kCellWidth;
  a_.spread.resize(static_cast<size_t>(c.neurons()));
  for (int64_t i = 0; i < pass.n; ++i) {
    const int64_t first = i * workers;
    const auto at_work =
        std::span(a_.workers).subspan(static_cast<size_t>(first), static_cast<size_t>(workers));
    const auto send = [&](Tap name, const float* data, int64_t rows, int64_t cols) {
      if (pass.wants(name)) pass.sink->on_tap(name, l, pass.first + i, data, rows, cols);
    };
    // One value for every `each` neurons, of which `kept` has `stride` a slot; zero where no expert
    // worked.
    const auto spread = [&](Tap name, const Values& kept, int64_t stride, int64_t each) {
      if (!pass.wants(name)) return;
      auto from = kept.begin() + first * stride;
      for (const Worker& worker : at_work) {
        std::copy_n(from, c.neurons_of(worker.expert) / each,
                    a_.spread.begin() + worker.expert * c.n_ff / each);
        from += stride;
      }
      send(name, a_.spread.data(), 1, c.neurons() / each);
      for (const Worker& worker : at_work) {
        std::fill_n(a_.spread.begin() + worker.expert * c.n_ff / each,
                    c.neurons_of(worker.expert) / each, 0.0F);
      }
    };
    send(Tap::kRouter, a_.router.data() + i * c.n_expert, 1, c.n_expert);
    const auto [u, scale] =
        measure(a_.sum.data() + i * c.n_embd, ffn_gain_[static_cast<size_t>(l)]);
    Values rows;
    double from_biases = 0.0;
    for (int64_t s = first; s < first + workers; ++s) {
      const auto [e, weight] = a_.workers[static_cast<size_t>(s)];
      const double share = dot(a_.term.data() + s * c.n_embd, u, c.n_embd) * scale;
      rows.insert(rows.end(), {static_cast<float>(e), weight, static_cast<float>(share)});
      const double of_update = double{weight} * scale;
      const auto* bias = reinterpret_cast<const float*>(expert(l, e).down.bias.data);
      if (bias != nullptr) from_biases += dot(bias, u, c.n_embd) * of_update;
      if (pass.wants(Tap::kNeuronShare)) {
        const float* act = a_.slot_act.data() + s * c.widest_ffn();
        float* back = a_.slot_share.data() + s * c.widest_ffn();
        for (int64_t n = 0; n < config_.neurons_of(e); ++n) {
          back[n] = static_cast<float>(double{act[n]} * double{back[n]} * of_update);
        }
      }
      if (!wants_some(pass)) continue;
      float* cell = a_.slot_cells.data() + s * cells;
      for (int64_t k = 0; k < config_.neurons_of(e) / kCellWidth; ++k) {
        cell[k] = static_cast<float>(double{cell[k]} * of_update);
      }
    }
    send(Tap::kExperts, rows.data(), workers, 3);
    spread(Tap::kGate, a_.slot_gate, c.widest_ffn(), 1);
    spread(Tap::kUp, a_.slot_up, c.widest_ffn(), 1);
    spread(Tap::kAct, a_.slot_act, c.widest_ffn(), 1);
    spread(Tap::kNeuronShare, a_.slot_share, c.widest_ffn(), 1);
    if (wants_some(pass)) {
      spread(Tap::kCellShare, a_.slot_cells, cells, kCellWidth);
      const Values chosen = chosen_shares(i, scale);
      send(Tap::kChosenShare, chosen.data(), std::ssize(chosen) / 2, 2);
    }
    const auto bias_share = static_cast<float>(from_biases);
    send(Tap::kFfnBiasShare, &bias_share, 1, 1);
  }
}

// Of the most active neurons of position i: number of the layer's, and share.
Decoder::Values Decoder::chosen_shares(int64_t i, double scale) const {
  Values rows;
  for (auto k = static_cast<size_t>(i * kChosenNeurons);
       k < static_cast<size_t>((i + 1) * kChosenNeurons); ++k) {
    const auto [slot, n] = neuron_of(i, a_.chosen[k]);
    const auto [e, weight] = a_.workers[static_cast<size_t>(slot)];
    const float act = a_.slot_act[static_cast<size_t>(slot * config_.widest_ffn() + n)];
    rows.push_back(static_cast<float>(e * config_.n_ff + n));
    rows.push_back(
        static_cast<float>(double{act} * double{a_.chosen_dot[k]} * double{weight} * scale));
  }
  return rows;
}

}  // namespace model
