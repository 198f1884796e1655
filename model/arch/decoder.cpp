// The way through the layers; attention and FFN are in files of their own.
#include "model/arch/decoder.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/kernels/ops.h"

namespace model {

namespace {

std::vector<float> squares(const float* gain, int64_t n) {
  std::vector<float> list;
  for (int64_t i = 0; gain != nullptr && i < n; ++i) list.push_back(gain[i] * gain[i]);
  return list;
}

// base^(-2i / rope_dim) of every pair.
std::vector<double> frequencies(int64_t rope_dim, float base) {
  std::vector<double> list;
  for (int64_t i = 0; i < rope_dim / 2; ++i) {
    list.push_back(
        std::pow(double{base}, -2.0 * static_cast<double>(i) / static_cast<double>(rope_dim)));
  }
  return list;
}

// The same, scaled and divided by the factors (nullptr: none).
std::vector<double> scaled_frequencies(const Config& c, const float* factors) {
  std::vector<double> list = frequencies(c.rope_dim, c.rope_base);
  for (int64_t i = 0; i < std::ssize(list); ++i) {
    double part = i < c.rope_kept ? 0.0 : 1.0;  // of the scaling
    if (i >= c.rope_kept && i < c.rope_scaled) {
      part =
          static_cast<double>(i - c.rope_kept) / static_cast<double>(c.rope_scaled - c.rope_kept);
    }
    double& frequency = list[static_cast<size_t>(i)];
    frequency *= 1.0 - part + part * double{c.rope_scale};
    if (factors != nullptr) frequency /= double{factors[i]};
  }
  return list;
}

}  // namespace

Decoder::Decoder(const ModelFile& file, const Config& config, int threads)
    : config_(config), weights_(read_weights(file, config_, nullptr)), pool_(threads) {
  for (const Layer& layer : weights_.layers) {
    attn_gain_.push_back(squares(layer.attn_post_norm.gain, config_.n_embd));
    ffn_gain_.push_back(squares(layer.ffn_post_norm.gain, config_.n_embd));
  }
  rope_.magnitude = config_.rope_magnitude;
  rope_local_.magnitude = config_.rope_magnitude_local;
  rope_local_.frequency = frequencies(config_.rope_dim, config_.rope_base_local);
  chain_weights();
}

// Each matrix is told which one follows it, where that does not depend on what is computed.
void Decoder::chain_weights() noexcept {
  Linear* last = nullptr;
  const auto add = [&](Linear& w) {
    if (w.empty()) return;
    if (last != nullptr) last->next = &w;
    last = &w;
  };
  for (Layer& w : weights_.layers) {
    for (Linear* of_attention : {&w.wq_down, &w.wq, &w.wk, &w.wv, &w.wo}) add(*of_attention);
    if (!w.experts.empty()) {
      add(w.router);
      last = nullptr;
      continue;
    }
    for (Linear* of_ffn : {&w.ffn.gate, &w.ffn.up, &w.ffn.down}) add(*of_ffn);
  }
  add(weights_.output);
  Layer& first = weights_.layers.front();
  if (last != nullptr) last->next = first.wq_down.empty() ? &first.wq : &first.wq_down;
}

void Decoder::forward(std::span<const int32_t> ids, int64_t first, KvCache& cache, float* logits,
                      int64_t logit_rows, TapSink* sink, std::span<const Mute> muted) {
  // Where this ends with an exception, what was put off must not be done in another pass.
  struct Dropped {
    ThreadPool& pool;
    ~Dropped() { pool.drop(); }
  } const dropped{pool_};
  const auto total = static_cast<int64_t>(ids.size());
  if (logits == nullptr) logit_rows = 0;
  for (int64_t begin = 0; begin < total; begin += kBatch) {
    const int64_t n = std::min(kBatch, total - begin);
    resize(n, cache.capacity());
    cache.make_room(first + begin + n);
    const Pass pass{first + begin, n, cache, sink, muted};
    // Of this batch's rows those at or behind total - logit_rows have their logits taken.
    const int64_t skipped = std::max<int64_t>(0, total - logit_rows - begin);
    const int64_t rows = std::max<int64_t>(0, n - skipped);
    run(pass, ids.data() + begin, logits, rows);
    logits += rows * config_.n_vocab;
  }
}

void Decoder::Pass::mute(Part part, int64_t l, int64_t first_part, int64_t count, int64_t width,
                         float* values) const noexcept {
  for (const Mute& m : muted) {
    if (m.part != part || m.layer != l) continue;
    const int64_t from = std::clamp(m.first - first_part, int64_t{0}, count);
    const int64_t to = std::clamp(m.last - first_part, from, count);
    std::fill(values + from * width, values + to * width, 0.0F);
  }
}

void Decoder::resize(int64_t n, int64_t capacity) {
  if (reach_ != capacity) {
    const bool far = config_.rope_original > 0 && capacity > config_.rope_original;
    rope_.frequency =
        scaled_frequencies(config_, far ? weights_.rope_factors_long : weights_.rope_factors);
    reach_ = capacity;
  }
  if (n <= rows_) return;
  const auto fit = [&](auto& values, int64_t width) {
    values.resize(static_cast<size_t>(n * width));
  };
  const Config& c = config_;
  const int64_t ff = std::max(c.widest_ffn(), c.n_ff_dense);
  for (Values* v : {&a_.x, &a_.norm, &a_.ffn_norm, &a_.sum, &a_.update}) fit(*v, c.n_embd);
  a_.measured.resize(static_cast<size_t>(c.n_embd));
  a_.z_read.resize(static_cast<size_t>(c.n_head * c.mix_width()));
  a_.act_read.resize(static_cast<size_t>(ff));
  fit(a_.q, c.n_head * c.head_dim);
  fit(a_.z, c.n_head * c.value_width());
  fit(a_.head_back, c.n_head * c.mix_width());
  if (c.latent()) {
    fit(a_.query_low, c.query_rank);
    fit(a_.query, c.n_head * c.query_width);
    fit(a_.mix, c.n_head * c.mix_width());
  }
  fit(a_.sink_weight, c.n_head);
  for (Values* v : {&a_.k, &a_.v}) fit(*v, c.n_head_kv * c.head_dim);
  // Of one position all experts at work have theirs.
  const auto of_neurons = static_cast<size_t>(
      std::max(std::max(n, c.experts_at_work()) * c.widest_ffn(), n * c.n_ff_dense));
  for (Values* v : {&a_.gate, &a_.up, &a_.act}) v->resize(of_neurons);
  for (Values* v : {&a_.head_dot, &a_.head_energy}) fit(*v, c.n_head);
  for (Rope* rope : {&rope_, &rope_local_}) {
    fit(rope->cos, c.rope_dim / 2);
    fit(rope->sin, c.rope_dim / 2);
  }
  fit(a_.router, c.n_expert);
  for (Values* v : {&a_.expert_in, &a_.expert_out}) fit(*v, c.n_expert > 0 ? c.n_embd : 0);
  fit(a_.cell_dot, (ff + kCellWidth - 1) / kCellWidth);
  fit(a_.chosen_dot, kChosenNeurons);
  fit(a_.chosen, kChosenNeurons);
  a_.gathers.resize(static_cast<size_t>(n));
  rows_ = n;  // last: where memory gives out on the way, it is tried again
}

void Decoder::tap(const Pass& pass, Tap name, int64_t layer, const Values& data, int64_t rows,
                  int64_t cols) const {
  if (!pass.wants(name)) return;
  for (int64_t i = 0; i < pass.n; ++i) {
    pass.sink->on_tap(name, layer, pass.first + i, data.data() + i * rows * cols, rows, cols);
  }
}

void Decoder::run(const Pass& pass, const int32_t* ids, float* logits, int64_t logit_rows) {
  const Config& c = config_;
  const auto add_update = [&] {
    for (int64_t i = 0; i < pass.n * c.n_embd; ++i) {
      a_.x[static_cast<size_t>(i)] += a_.update[static_cast<size_t>(i)];
    }
  };
  embed(pass, ids);
  turn(rope_, pass.first, pass.n);
  if (c.rope_base_local > 0.0F) turn(rope_local_, pass.first, pass.n);
  for (int64_t l = 0; l < c.n_layer; ++l) {
    const Layer& w = weights_.layers[static_cast<size_t>(l)];
    tap(pass, Tap::kResidPre, l, a_.x, 1, c.n_embd);
    read_stream(w.attn_norm, pass.n, a_.norm);
    tap(pass, Tap::kAttnNorm, l, a_.norm, 1, c.n_embd);
    if (c.parallel) {
      if (c.shared_norm) {
        std::copy_n(a_.norm.begin(), pass.n * c.n_embd, a_.ffn_norm.begin());
      } else {
        read_stream(w.ffn_norm, pass.n, a_.ffn_norm);
      }
    }
    attention(pass, l);
    add_update();
    if (!c.parallel) read_stream(w.ffn_norm, pass.n, a_.ffn_norm);
    tap(pass, Tap::kFfnNorm, l, a_.ffn_norm, 1, c.n_embd);
    ffn(pass, l);
    add_update();
  }
  if (logit_rows > 0) unembed(pass, logits, logit_rows);
  pool_.settle();
}

void Decoder::embed(const Pass& pass, const int32_t* ids) {
  const Config& c = config_;
  Values position(static_cast<size_t>(c.learned_positions ? c.n_embd : 0));
  for (int64_t i = 0; i < pass.n; ++i) {
    float* x = a_.x.data() + i * c.n_embd;
    dequantize_row(weights_.token_embd, ids[i], x);
    scale_by(x, c.n_embd, c.embedding_scale);
    if (c.learned_positions) {
      dequantize_row(weights_.position_embd, pass.first + i, position.data());
      for (int64_t j = 0; j < c.n_embd; ++j) x[j] += position[static_cast<size_t>(j)];
    }
  }
  tap(pass, Tap::kEmbedding, 0, a_.x, 1, c.n_embd);
  if (pass.sink != nullptr) {
    pass.sink->on_operation(Operation::kEmbed, 0,
                            pass.n * static_cast<int64_t>(weights_.token_embd.row_bytes()));
  }
}

void Decoder::unembed(const Pass& pass, float* logits, int64_t rows) {
  const Config& c = config_;
  const int64_t skipped = pass.n - rows;
  normalise(weights_.output_norm, a_.x.data(), a_.norm.data(), pass.n);
  logits_of(a_.norm.data() + skipped * c.n_embd, rows, logits);
  if (pass.sink == nullptr) return;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t position = pass.first + skipped + i;
    if (pass.wants(Tap::kNorm)) {
      pass.sink->on_tap(Tap::kNorm, 0, position, input_.row(i), 1, c.n_embd);
    }
    if (pass.wants(Tap::kLogits)) {
      pass.sink->on_tap(Tap::kLogits, 0, position, logits + i * c.n_vocab, 1, c.n_vocab);
    }
  }
  pass.sink->on_operation(Operation::kUnembed, 0,
                          static_cast<int64_t>(weights_.output.weight.bytes()));
}

// norm: (rows, C) behind the last norm.
void Decoder::logits_of(const float* norm, int64_t rows, float* logits) {
  const Config& c = config_;
  input_.set(norm, rows, c.n_embd, c.n_embd, rounds_input(weights_.output.weight.dtype), pool_);
  matmul(weights_.output, input_, logits, c.n_vocab, nullptr, pool_);
  scale_by(logits, rows * c.n_vocab, c.logit_scale);
  if (c.final_soft_cap <= 0.0F) return;
  for (int64_t i = 0; i < rows * c.n_vocab; ++i) {
    logits[i] = c.final_soft_cap * std::tanh(logits[i] / c.final_soft_cap);
  }
}

float Decoder::normalise(const Norm& norm, const float* x, float* y, int64_t n) const noexcept {
  const int64_t width = config_.n_embd;
  float scale = 0.0F;
  for (int64_t i = 0; i < n; ++i) {
    const float* in = x + i * width;
    float* out = y + i * width;
    scale = config_.norm == NormKind::kRms
                ? rms_norm(in, norm.gain, width, config_.norm_eps, out)
                : layer_norm(in, norm.gain, norm.bias, width, config_.norm_eps, out);
  }
  return scale;
}

// n or m of the batch: what attention and FFN read of x.
void Decoder::read_stream(const Norm& norm, int64_t n, Values& out) const noexcept {
  if (!config_.pre_norms) {
    std::copy_n(a_.x.begin(), n * config_.n_embd, out.begin());
    return;
  }
  normalise(norm, a_.x.data(), out.data(), n);
}

// a_.sum stays as it is: its terms are measured later.
void Decoder::make_update(const Norm& post_norm, int64_t n) {
  if (post_norm.gain != nullptr) {
    normalise(post_norm, a_.sum.data(), a_.update.data(), n);
  } else {
    std::copy_n(a_.sum.begin(), n * config_.n_embd, a_.update.begin());
  }
  scale_by(a_.update.data(), n * config_.n_embd, config_.update_scale);
}

void Decoder::turn(Rope& rope, int64_t first, int64_t n) {
  const size_t half = rope.frequency.size();
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    const auto position = static_cast<double>(first + static_cast<int64_t>(i));
    for (size_t j = 0; j < half; ++j) {
      const double angle = position * rope.frequency[j];
      rope.cos[i * half + j] = static_cast<float>(std::cos(angle)) * rope.magnitude;
      rope.sin[i * half + j] = static_cast<float>(std::sin(angle)) * rope.magnitude;
    }
  }
}

Decoder::Measure Decoder::measure(const float* y, const Values& gain) noexcept {
  constexpr double kNothing = 1e-24;  // |y|^2 below which its terms have no share
  const float* u = y;
  if (!gain.empty()) {
    std::transform(gain.begin(), gain.end(), y, a_.measured.begin(), std::multiplies<>());
    u = a_.measured.data();
  }
  const double total = dot(u, y, config_.n_embd);
  return {u, total > kNothing ? 1.0 / total : 0.0};
}

void Decoder::set_input(Input& input, const Values& x, int64_t n, int64_t cols,
                        std::initializer_list<DType> readers) {
  const bool rounds = std::any_of(readers.begin(), readers.end(), rounds_input);
  input.set(x.data(), n, cols, cols, rounds, pool_);
}

}  // namespace model
