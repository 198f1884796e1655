// What is asked of a pass that is over: logits of any residual stream, and which of a logit's terms
// is whose.
#include <algorithm>

#include "model/arch/decoder.h"
#include "model/kernels/ops.h"

namespace model {

namespace {

const float* values_of(const Tensor& bias) noexcept {
  return reinterpret_cast<const float*>(bias.data);
}

}  // namespace

void Decoder::unembed(const float* x, int64_t rows, float* logits) {
  Values norm(static_cast<size_t>(rows * config_.n_embd));
  normalise(weights_.output_norm, x, norm.data(), rows);
  logits_of(norm.data(), rows, logits);
}

// With y = (x - mean(x)) s g + b, where an RMS norm has neither the mean nor b:
// <W_U,t, y> = s <g W_U,t - mean(g W_U,t), x> + <W_U,t, b>. All of it times the logits' scale.
Model::Readout Decoder::readout(const float* x, int32_t token) const {
  const int64_t width = config_.n_embd;
  const Norm& norm = weights_.output_norm;
  Readout out;
  out.direction.resize(static_cast<size_t>(width));
  const double scale = double{normalise(norm, x, out.direction.data(), 1)};
  dequantize_row(weights_.output.weight, token, out.direction.data());
  scale_by(out.direction.data(), width, config_.logit_scale);
  if (norm.bias != nullptr) out.constant += dot(out.direction.data(), norm.bias, width);
  if (const float* bias = values_of(weights_.output.bias)) {
    out.constant += double{bias[token]} * double{config_.logit_scale};
  }
  double mean = 0.0;
  for (int64_t i = 0; i < width; ++i) {
    float& d = out.direction[static_cast<size_t>(i)];
    if (norm.gain != nullptr) d *= norm.gain[i];
    mean += double{d} / static_cast<double>(width);
  }
  if (config_.norm == NormKind::kRms) mean = 0.0;
  for (float& d : out.direction) d = static_cast<float>((double{d} - mean) * scale);
  return out;
}

// The direction as terms of the sum y see it, before the norm and the scale of the update:
// <direction, g s y> = <s g direction, y>.
Decoder::Values Decoder::before_norm(const Norm& norm, const Values& sum,
                                     const float* direction) const {
  Values u(direction, direction + config_.n_embd);
  scale_by(u.data(), config_.n_embd, config_.update_scale);
  if (norm.gain == nullptr) return u;
  Values y(sum.size());
  const float scale = normalise(norm, sum.data(), y.data(), 1);
  for (size_t i = 0; i < u.size(); ++i) u[i] *= norm.gain[i] * scale;
  return u;
}

double Decoder::head_terms(int64_t layer, const float* head_out, const float* direction,
                           float* terms) const {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(layer)];
  Values sum(static_cast<size_t>(c.n_embd), 0.0F);
  const float* bias = values_of(w.wo.bias);
  if (bias != nullptr) sum.assign(bias, bias + c.n_embd);
  for (int64_t i = 0; i < c.n_head * c.n_embd; ++i)
    sum[static_cast<size_t>(i % c.n_embd)] += head_out[i];
  const Values u = before_norm(w.attn_post_norm, sum, direction);
  for (int64_t h = 0; h < c.n_head; ++h)
    terms[h] = static_cast<float>(dot(head_out + h * c.n_embd, u.data(), c.n_embd));
  return bias != nullptr ? dot(bias, u.data(), c.n_embd) : 0.0;
}

double Decoder::neuron_terms(int64_t layer, const float* act, std::span<const float> experts,
                             const float* direction, float* terms) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(layer)];
  std::vector<Worker> workers;
  if (!c.mixed(layer)) workers.push_back({0, 1.0F});
  for (size_t i = 0; i + 2 < experts.size(); i += 3) {
    workers.push_back({static_cast<int64_t>(experts[i]), experts[i + 1]});
  }
  Values sum(static_cast<size_t>(c.n_embd), 0.0F), term(sum);
  for (const Worker& worker : workers) {
    if (w.ffn_post_norm.gain == nullptr) break;
    const Linear& down = expert(layer, worker.expert).down;
    const int64_t width = down.weight.cols();
    input_.set(act + worker.expert * c.n_ff, 1, width, width, rounds_input(down.weight.dtype),
               pool_);
    matmul(down, input_, term.data(), c.n_embd, nullptr, pool_);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += worker.weight * term[i];
  }
  const Values u = before_norm(w.ffn_post_norm, sum, direction);
  std::fill(terms, terms + c.neurons(layer), 0.0F);
  for (const Worker& worker : workers) {
    const int64_t first = worker.expert * c.n_ff;
    const Tensor& down = expert(layer, worker.expert).down.weight;
    matmul_back(down, u.data(), terms + first, pool_);
    for (int64_t n = first; n < first + down.cols(); ++n) terms[n] *= worker.weight * act[n];
  }
  double from_biases = 0.0;
  for (const Worker& worker : workers) {
    const float* bias = values_of(expert(layer, worker.expert).down.bias);
    if (bias != nullptr) from_biases += double{worker.weight} * dot(bias, u.data(), c.n_embd);
  }
  return from_biases;
}

}  // namespace model
