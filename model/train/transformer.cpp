#include "model/train/transformer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "model/error.h"
#include "model/kernels/gemm.h"
#include "model/kernels/train_ops.h"
#include "model/train/random.h"

namespace model::train {
namespace {

// y (n, out) = x (n, in) w^T, w (out, in). `out` may span several matrices that follow each
// other in memory, such as wq, wk, wv.
void linear(const float* x, const float* w, int64_t n, int64_t in, int64_t out, float* y) noexcept {
  gemm(Op::kNone, Op::kTranspose, n, out, in, 1.0F, x, in, w, in, 0.0F, y, out);
}

// d_x = d_y w;  d_w += d_y^T x
void linear_backward(const float* d_y, const float* x, const float* w, int64_t n, int64_t in,
                     int64_t out, float* d_x, float* d_w) noexcept {
  gemm(Op::kTranspose, Op::kNone, out, in, n, 1.0F, d_y, out, x, in, 1.0F, d_w, in);
  gemm(Op::kNone, Op::kNone, n, in, out, 1.0F, d_y, out, w, in, 0.0F, d_x, in);
}

// Dropout's places in the model; two follow in every layer.
constexpr uint64_t kEmbeddingSite = 0;
constexpr uint64_t attention_site(size_t l) {
  return 1 + 2 * l;
}
constexpr uint64_t ffn_site(size_t l) {
  return 2 + 2 * l;
}

int64_t kv_width(const Config& c) {
  return c.n_head_kv * c.head_dim;
}
int64_t q_width(const Config& c) {
  return c.n_head * c.head_dim;
}
int64_t qkv_width(const Config& c) {
  return q_width(c) + 2 * kv_width(c);
}

AttentionShape attention_shape(const Config& c, int64_t t) {
  return {.t = t, .heads = c.n_head, .kv_heads = c.n_head_kv, .head_dim = c.head_dim};
}

}  // namespace

int64_t Transformer::bytes_per_position(const Config& c, int64_t length) noexcept {
  const int64_t weights = c.n_head * attention_weights_size(length) / std::max<int64_t>(1, length);
  const int64_t layer = 4 * c.n_embd + qkv_width(c) + weights + q_width(c) + 3 * c.n_ff + 2;
  const int64_t rest = 5 * c.n_embd + c.n_vocab + c.n_ff + q_width(c) + qkv_width(c);
  return (c.n_layer * layer + rest) * static_cast<int64_t>(sizeof(float));
}

Transformer::Transformer(const Config& config, int64_t max_rows, int64_t max_length)
    : config_(config), max_rows_(max_rows), max_length_(max_length) {
  const Config& c = config_;
  const auto rows = [max_rows](int64_t width) { return static_cast<size_t>(max_rows * width); };
  layers_.resize(static_cast<size_t>(c.n_layer));
  // Short sequences need fewer weights a position than the longest does.
  const int64_t p_size =
      max_rows * c.n_head * ((attention_weights_size(max_length) + max_length - 1) / max_length);
  for (LayerActivations& a : layers_) {
    a.x.resize(rows(c.n_embd));
    a.r1.resize(rows(1));
    a.n1.resize(rows(c.n_embd));
    a.qkv.resize(rows(qkv_width(c)));
    a.p.resize(static_cast<size_t>(p_size));
    a.z.resize(rows(q_width(c)));
    a.x_mid.resize(rows(c.n_embd));
    a.r2.resize(rows(1));
    a.n2.resize(rows(c.n_embd));
    a.gu.resize(rows(2 * c.n_ff));
    a.act.resize(rows(c.n_ff));
  }
  x_last_.resize(rows(c.n_embd));
  r_last_.resize(rows(1));
  n_last_.resize(rows(c.n_embd));
  logits_.resize(rows(c.n_vocab));
  dx_.resize(rows(c.n_embd));
  dy_.resize(rows(c.n_embd));
  dn_.resize(rows(c.n_embd));
  d_wide_.resize(rows(std::max(c.n_ff, q_width(c))));
  d_qkv_.resize(rows(qkv_width(c)));
  scratch_.resize(static_cast<size_t>(kAttentionBlock * max_length));

  // theta_i = base^(-2i / rope_dim) (Su et al. 2021, section 3.2.2)
  const int64_t half = c.rope_dim / 2;
  cos_.resize(static_cast<size_t>(max_length * half));
  sin_.resize(cos_.size());
  for (int64_t t = 0; t < max_length; ++t) {
    for (int64_t i = 0; i < half; ++i) {
      const double frequency =
          std::pow(static_cast<double>(c.rope_base),
                   -2.0 * static_cast<double>(i) / static_cast<double>(c.rope_dim));
      const double angle = static_cast<double>(t) * frequency;
      cos_[static_cast<size_t>(t * half + i)] = static_cast<float>(std::cos(angle));
      sin_[static_cast<size_t>(t * half + i)] = static_cast<float>(std::sin(angle));
    }
  }
}

void Transformer::rotate(float* qkv, float direction) const noexcept {
  train_ops().rope(qkv, qkv_width(config_), batch_.sequences * batch_.length, batch_.length,
                   config_.n_head + config_.n_head_kv, config_.head_dim, config_.rope_dim,
                   cos_.data(), sin_.data(), direction);
}

// out = base + dropout(x), or dropout(x) when base is null, with the mask of this place.
void Transformer::drop(const float* base, const float* x, uint64_t site,
                       float* out) const noexcept {
  const TrainOps& ops = train_ops();
  const int64_t n = batch_.sequences * batch_.length * config_.n_embd;
  Dropout mask;
  if (dropout_.rate > 0.0F) {
    mask.key = static_cast<uint32_t>(mix(dropout_.key, site));
    mask.first = static_cast<uint32_t>(dropout_.first_row * config_.n_embd);
    mask.threshold = static_cast<uint32_t>(static_cast<double>(dropout_.rate) * 4294967296.0);
    mask.scale = 1.0F / (1.0F - dropout_.rate);
  }
  if (base != nullptr) {
    ops.add_dropout(base, x, n, mask, out);
  } else if (mask.threshold != 0) {
    ops.dropout(x, n, mask, out);
  } else if (x != out) {
    std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
  }
}

void Transformer::layer_forward(const LlamaLayer<Matrix>& w, size_t l, float* x_out) noexcept {
  const TrainOps& ops = train_ops();
  const Config& c = config_;
  LayerActivations& a = layers_[l];
  const int64_t n = batch_.sequences * batch_.length;

  ops.rmsnorm(a.x.data(), w.attn_norm.data, n, c.n_embd, c.norm_eps, a.n1.data(), a.r1.data());
  linear(a.n1.data(), w.wq.data, n, c.n_embd, qkv_width(c), a.qkv.data());
  rotate(a.qkv.data(), 1.0F);
  const AttentionShape shape = attention_shape(c, batch_.length);
  const int64_t p_size = c.n_head * attention_weights_size(batch_.length);
  for (int64_t s = 0; s < batch_.sequences; ++s) {
    attention(shape, a.qkv.data() + s * shape.t * shape.width(), a.p.data() + s * p_size,
              a.z.data() + s * shape.t * q_width(c));
  }
  linear(a.z.data(), w.wo.data, n, q_width(c), c.n_embd, dy_.data());
  drop(a.x.data(), dy_.data(), attention_site(l), a.x_mid.data());

  ops.rmsnorm(a.x_mid.data(), w.ffn_norm.data, n, c.n_embd, c.norm_eps, a.n2.data(), a.r2.data());
  linear(a.n2.data(), w.w_gate.data, n, c.n_embd, 2 * c.n_ff, a.gu.data());
  ops.swiglu(a.gu.data(), n, c.n_ff, a.act.data());
  linear(a.act.data(), w.w_down.data, n, c.n_ff, c.n_embd, dy_.data());
  drop(a.x_mid.data(), dy_.data(), ffn_site(l), x_out);
}

// dx_ holds the gradient of the layer's output and leaves holding that of its input.
void Transformer::layer_backward(const LlamaLayer<Matrix>& w, const LlamaLayer<Matrix>& g,
                                 size_t l) noexcept {
  const TrainOps& ops = train_ops();
  const Config& c = config_;
  LayerActivations& a = layers_[l];
  const int64_t n = batch_.sequences * batch_.length;

  drop(nullptr, dx_.data(), ffn_site(l), dy_.data());
  linear_backward(dy_.data(), a.act.data(), w.w_down.data, n, c.n_ff, c.n_embd, d_wide_.data(),
                  g.w_down.data);
  ops.swiglu_backward(d_wide_.data(), a.gu.data(), n, c.n_ff, a.gu.data());
  linear_backward(a.gu.data(), a.n2.data(), w.w_gate.data, n, c.n_embd, 2 * c.n_ff, dn_.data(),
                  g.w_gate.data);
  ops.rmsnorm_backward(dn_.data(), a.x_mid.data(), w.ffn_norm.data, a.r2.data(), n, c.n_embd,
                       dx_.data(), g.ffn_norm.data);

  drop(nullptr, dx_.data(), attention_site(l), dy_.data());
  linear_backward(dy_.data(), a.z.data(), w.wo.data, n, q_width(c), c.n_embd, d_wide_.data(),
                  g.wo.data);
  const AttentionShape shape = attention_shape(c, batch_.length);
  const int64_t p_size = c.n_head * attention_weights_size(batch_.length);
  for (int64_t s = 0; s < batch_.sequences; ++s) {
    const int64_t row = s * shape.t;
    attention_backward(shape, a.qkv.data() + row * shape.width(), a.p.data() + s * p_size,
                       d_wide_.data() + row * q_width(c), d_qkv_.data() + row * shape.width(),
                       scratch_.data());
  }
  rotate(d_qkv_.data(), -1.0F);
  linear_backward(d_qkv_.data(), a.n1.data(), w.wq.data, n, c.n_embd, qkv_width(c), dn_.data(),
                  g.wq.data);
  ops.rmsnorm_backward(dn_.data(), a.x.data(), w.attn_norm.data, a.r1.data(), n, c.n_embd,
                       dx_.data(), g.attn_norm.data);
}

void Transformer::run_layers(const Weights& weights) noexcept {
  const Config& c = config_;
  const int64_t n = batch_.sequences * batch_.length;
  CHECK(n <= max_rows_ && batch_.length <= max_length_);
  float* x = layers_.front().x.data();
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(x + i * c.n_embd, weights.token_embd.data + batch_.tokens[i] * c.n_embd,
                static_cast<size_t>(c.n_embd) * sizeof(float));
  }
  drop(nullptr, x, kEmbeddingSite, x);
  for (size_t l = 0; l < layers_.size(); ++l) {
    float* out = l + 1 < layers_.size() ? layers_[l + 1].x.data() : x_last_.data();
    layer_forward(weights.layers[l], l, out);
  }
  train_ops().rmsnorm(x_last_.data(), weights.output_norm.data, n, c.n_embd, c.norm_eps,
                      n_last_.data(), r_last_.data());
  const Matrix& head = c.tied ? weights.token_embd : weights.output;
  linear(n_last_.data(), head.data, n, c.n_embd, c.n_vocab, logits_.data());
}

double Transformer::forward(const Weights& weights, const Batch& batch, const DropoutRate& dropout,
                            float loss_scale) noexcept {
  batch_ = batch;
  dropout_ = dropout;
  run_layers(weights);
  return train_ops().cross_entropy(logits_.data(), batch.targets, batch.sequences * batch.length,
                                   config_.n_vocab, loss_scale);
}

const float* Transformer::logits(const Weights& weights, const int32_t* tokens, int64_t sequences,
                                 int64_t length) noexcept {
  batch_ = {.tokens = tokens, .targets = nullptr, .sequences = sequences, .length = length};
  dropout_ = {};
  run_layers(weights);
  return logits_.data();
}

void Transformer::backward(const Weights& weights, const Weights& gradients) noexcept {
  const Config& c = config_;
  const int64_t n = batch_.sequences * batch_.length;
  const Matrix& head = c.tied ? weights.token_embd : weights.output;
  const Matrix& d_head = c.tied ? gradients.token_embd : gradients.output;
  linear_backward(logits_.data(), n_last_.data(), head.data, n, c.n_embd, c.n_vocab, dn_.data(),
                  d_head.data);
  std::fill_n(dx_.data(), n * c.n_embd, 0.0F);
  train_ops().rmsnorm_backward(dn_.data(), x_last_.data(), weights.output_norm.data, r_last_.data(),
                               n, c.n_embd, dx_.data(), gradients.output_norm.data);
  for (size_t l = layers_.size(); l-- > 0;) {
    layer_backward(weights.layers[l], gradients.layers[l], l);
  }
  drop(nullptr, dx_.data(), kEmbeddingSite, dx_.data());
  for (int64_t i = 0; i < n; ++i) {
    train_ops().add(gradients.token_embd.data + batch_.tokens[i] * c.n_embd,
                    dx_.data() + i * c.n_embd, c.n_embd);
  }
}

}  // namespace model::train
