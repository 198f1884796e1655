// The feed-forward part of a layer (Shazeer 2020, arXiv:2002.05202); of a mixture of experts see
// decoder_mixture.cpp.
#include <algorithm>
#include <cmath>
#include <functional>

#include "model/arch/decoder.h"
#include "model/kernels/ops.h"

namespace model {

void Decoder::ffn(const Pass& pass, int64_t l) {
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  size_t bytes = 0;
  const bool mixed = config_.mixed(l);
  if (!mixed) {
    dense(pass, l);
    bytes = w.ffn.bytes();
  } else {
    mixture(pass, l);
    bytes = w.router.weight.bytes() + experts_bytes(pass, l);
  }
  if (pass.sink != nullptr) {
    pool_.beside([this, pass, l, mixed] {
      mixed ? expert_shares(pass, l) : neuron_shares(pass, l);
      tap(pass, Tap::kFfnOut, l, a_.update, 1, config_.n_embd);
      tap(pass, Tap::kResidPost, l, a_.x, 1, config_.n_embd);
      pass.sink->reduce(Operation::kFfn, l);
      if (l + 1 == config_.n_layer) pass.sink->layers_done();
    });
    pass.sink->on_operation(Operation::kFfn, l, static_cast<int64_t>(bytes));
  }
  make_update(w.ffn_post_norm, pass.n);
}

void Decoder::activate(const float* gate, const float* up, int64_t n, float* act) const noexcept {
  switch (config_.ffn) {
    case FfnKind::kSiluGated:
      return silu(gate, up, n, act);
    case FfnKind::kGeluGated:
      return gelu(gate, up, n, act);
    case FfnKind::kClampedSwiglu:
      return clamped_swiglu(gate, up, n, act);
    case FfnKind::kGelu:
      return gelu(up, nullptr, n, act);
    case FfnKind::kGeluExact:
      return gelu_exact(up, n, act);
  }
}

// act of the batch, each thread its part of the neurons; where they are wanted, the neurons of
// largest |act| of each position as well, in ascending order: those of each part, and of these the
// largest again.
void Decoder::activate_all(const Pass& pass, int64_t l, bool chosen) {
  constexpr int64_t kVector = 16;
  const int64_t ff = config_.neurons(l);
  const int parts = pass.n * ff < kWorthActivating ? 1 : pool_.size();
  const auto candidates = static_cast<size_t>(pass.n * parts * kChosenNeurons);
  std::vector<int32_t> number(chosen ? candidates : 0, -1);
  const auto work = [&](int part) {
    const auto [first, last] = ThreadPool::share((ff + kVector - 1) / kVector, part, parts);
    const int64_t begin = first * kVector;
    const int64_t n = std::min(last * kVector, ff) - begin;
    for (int64_t i = 0; i < pass.n; ++i) {
      const int64_t at = i * ff + begin;
      float* act = a_.act.data() + at;
      activate(a_.gate.data() + at, a_.up.data() + at, n, act);
      pass.mute(Part::kNeurons, l, begin, n, 1, act);
      if (!chosen) continue;
      int32_t* found = number.data() + (i * parts + part) * kChosenNeurons;
      const int64_t count = strongest(act, n, kChosenNeurons, found);
      for (int64_t k = 0; k < count; ++k) found[k] += static_cast<int32_t>(begin);
    }
  };
  parts == 1 ? work(0) : pool_.run(work);
  Values act;
  std::vector<int32_t> of;
  for (int64_t i = 0; chosen && i < pass.n; ++i) {
    act.clear();
    of.clear();
    for (int64_t k = i * parts * kChosenNeurons; k < (i + 1) * parts * kChosenNeurons; ++k) {
      const int32_t neuron = number[static_cast<size_t>(k)];
      if (neuron < 0) continue;
      of.push_back(neuron);
      act.push_back(a_.act[static_cast<size_t>(i * ff + neuron)]);
    }
    int32_t* out = a_.chosen.data() + i * kChosenNeurons;
    const int64_t count = strongest(act.data(), std::ssize(act), kChosenNeurons, out);
    for (int64_t k = 0; k < count; ++k) out[k] = of[static_cast<size_t>(out[k])];
  }
}

void Decoder::dense(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  const int64_t ff = c.neurons(l);
  const int64_t cells = (ff + kCellWidth - 1) / kCellWidth;
  set_input(input_, a_.ffn_norm, pass.n, c.n_embd,
            {w.ffn.gate.weight.dtype, w.ffn.up.weight.dtype});
  const Product products[] = {{&w.ffn.gate, a_.gate.data(), ff}, {&w.ffn.up, a_.up.data(), ff}};
  matmul(std::span(products).subspan(w.ffn.gate.empty() ? 1 : 0), input_, pool_);
  if (!w.ffn.gate.empty()) tap(pass, Tap::kGate, l, a_.gate, 1, ff);
  tap(pass, Tap::kUp, l, a_.up, 1, ff);

  const bool all = pass.wants_in(l, Tap::kNeuronShare);
  const bool parts = pass.wants_in(l, Tap::kCellShare);
  const bool chosen = pass.wants_in(l, Tap::kChosenShare);
  activate_all(pass, l, chosen);
  const int64_t n_chosen = std::min(kChosenNeurons, ff);
  const bool together = pass.n >= kTogether;
  if (all) a_.neuron_back.resize(static_cast<size_t>(rows_ * ff));
  for (int64_t i = 0; i < pass.n; ++i) {
    Gather& g = a_.gathers[static_cast<size_t>(i)];
    g = {};
    g.row_gain = row_gain(ffn_gain_[static_cast<size_t>(l)]);
    g.group_width = kCellWidth;
    if (parts) g.group_dot = a_.cell_dot.data() + i * cells;
    if (all && !together) g.back = a_.neuron_back.data() + i * ff;
    if (!chosen) continue;
    g.chosen = a_.chosen.data() + i * kChosenNeurons;
    g.n_chosen = n_chosen;
    g.chosen_dot = a_.chosen_dot.data() + i * kChosenNeurons;
  }
  pool_.settle();  // as in output_projection
  set_input(act_input_, a_.act, pass.n, ff, {w.ffn.down.weight.dtype});
  matmul(w.ffn.down, act_input_, a_.sum.data(), c.n_embd,
         (all && !together) || parts || chosen ? a_.gathers.data() : nullptr, pool_);
  if (all && together) neuron_backs(pass, l);
}

// W_down^T (g^2 df) of all positions.
void Decoder::neuron_backs(const Pass& pass, int64_t l) {
  Values room;
  const float* u = measured_updates(pass, l, room);
  const Tensor& w = weights_.layers[static_cast<size_t>(l)].ffn.down.weight;
  matmul_back(w, u, pass.n, a_.neuron_back.data(), pool_);
}

// g^2 df of the batch, (n, C): what the terms of an update are measured with; in room, unless it is
// df as it is.
const float* Decoder::measured_updates(const Pass& pass, int64_t l, Values& room) {
  const Values& gain = ffn_gain_[static_cast<size_t>(l)];
  if (gain.empty()) return a_.sum.data();
  const int64_t width = config_.n_embd;
  room.resize(static_cast<size_t>(pass.n * width));
  for (int64_t i = 0; i < pass.n; ++i) {
    std::transform(gain.begin(), gain.end(), a_.sum.begin() + i * width, room.begin() + i * width,
                   std::multiplies<>());
  }
  return room.data();
}

// Turns what was gathered into shares and taps them.
void Decoder::neuron_shares(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  const int64_t ff = c.neurons(l);
  const int64_t cells = (ff + kCellWidth - 1) / kCellWidth;
  const int64_t n_chosen = std::min(kChosenNeurons, ff);
  const auto* bias = reinterpret_cast<const float*>(w.ffn.down.bias.data);
  Values chosen(static_cast<size_t>(2 * n_chosen));
  for (int64_t i = 0; i < pass.n; ++i) {
    const int64_t position = pass.first + i;
    const float* y = a_.sum.data() + i * c.n_embd;
    const auto [u, scale] = measure(y, ffn_gain_[static_cast<size_t>(l)]);
    const float* act = act_input_.row(i);
    if (rounds_input(w.ffn.down.weight.dtype)) {
      act_input_.rounded(i, a_.act_read.data());
      act = a_.act_read.data();
    }
    const auto send = [&](Tap name, const float* data, int64_t rows, int64_t cols) {
      if (pass.wants_in(l, name)) pass.sink->on_tap(name, l, position, data, rows, cols);
    };
    send(Tap::kAct, act, 1, ff);
    if (pass.wants_in(l, Tap::kNeuronShare)) {
      float* share = a_.neuron_back.data() + i * ff;
      const auto of_update = static_cast<float>(scale);
      for (int64_t n = 0; n < ff; ++n) share[n] = act[n] * (share[n] * of_update);
      send(Tap::kNeuronShare, share, 1, ff);
    }
    if (pass.wants_in(l, Tap::kCellShare)) {
      float* share = a_.cell_dot.data() + i * cells;
      for (int64_t n = 0; n < cells; ++n) share[n] = static_cast<float>(double{share[n]} * scale);
      send(Tap::kCellShare, share, 1, cells);
    }
    if (pass.wants_in(l, Tap::kChosenShare)) {
      for (int64_t n = 0; n < n_chosen; ++n) {
        const int32_t neuron = a_.chosen[static_cast<size_t>(i * kChosenNeurons + n)];
        const double dot_df = double{a_.chosen_dot[static_cast<size_t>(i * kChosenNeurons + n)]};
        chosen[static_cast<size_t>(2 * n)] = static_cast<float>(neuron);
        chosen[static_cast<size_t>(2 * n + 1)] =
            static_cast<float>(double{act[neuron]} * dot_df * scale);
      }
      send(Tap::kChosenShare, chosen.data(), n_chosen, 2);
    }
    const auto bias_share =
        static_cast<float>(bias != nullptr ? dot(bias, u, c.n_embd) * scale : 0.0);
    send(Tap::kFfnBiasShare, &bias_share, 1, 1);
  }
}

}  // namespace model
