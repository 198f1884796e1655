// The transformer of model/train/weights.h once more: double precision, one position at a time, plain
// loops, nothing shared with the trainer. What the trainer is measured against.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "model/train/weights.h"
#include "model/config.h"

namespace model::train {

using DoubleWeights = LlamaWeights<std::vector<double>>;

class Reference {
 public:
  explicit Reference(const Config& config) : c_(config) {
    w.layers.resize(static_cast<size_t>(config.n_layer));
  }

  DoubleWeights w;

  // Sum over the T positions of one sequence of -log p(target).
  double loss(const int32_t* tokens, const int32_t* targets, int64_t length) const {
    std::vector<std::vector<double>> x;
    for (int64_t t = 0; t < length; ++t) x.push_back(row(w.token_embd, tokens[t], c_.n_embd));
    for (const auto& layer : w.layers) {
      attention(layer, x);
      for (auto& one : x) ffn(layer, one);
    }
    double sum = 0.0;
    for (int64_t t = 0; t < length; ++t) {
      const auto logits = times(c_.tied ? w.token_embd : w.output,
                                norm(x[static_cast<size_t>(t)], w.output_norm), c_.n_vocab);
      double total = 0.0;
      for (const double l : logits) total += std::exp(l);
      sum += std::log(total) - logits[static_cast<size_t>(targets[t])];
    }
    return sum;
  }

 private:
  using Vector = std::vector<double>;

  static Vector row(const Vector& m, int64_t i, int64_t cols) {
    return {m.begin() + i * cols, m.begin() + (i + 1) * cols};
  }

  static Vector times(const Vector& m, const Vector& x, int64_t rows) {
    Vector y(static_cast<size_t>(rows));
    for (size_t r = 0; r < y.size(); ++r) {
      for (size_t i = 0; i < x.size(); ++i) y[r] += m[r * x.size() + i] * x[i];
    }
    return y;
  }

  Vector norm(const Vector& x, const Vector& scale) const {
    double squares = 0.0;
    for (const double v : x) squares += v * v;
    const double r =
        1.0 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(c_.norm_eps));
    Vector y = x;
    for (size_t i = 0; i < x.size(); ++i) y[i] *= r * scale[i];
    return y;
  }

  void rotate(Vector& x, int64_t heads, int64_t position) const {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < c_.rope_dim / 2; ++i) {
        const double angle =
            static_cast<double>(position) *
            std::pow(static_cast<double>(c_.rope_base),
                     -2.0 * static_cast<double>(i) / static_cast<double>(c_.rope_dim));
        double& a = x[static_cast<size_t>(h * c_.head_dim + 2 * i)];
        double& b = x[static_cast<size_t>(h * c_.head_dim + 2 * i + 1)];
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = a * std::sin(angle) + b * std::cos(angle);
        a = turned;
      }
    }
  }

  void attention(const LlamaLayer<Vector>& layer, std::vector<Vector>& x) const {
    const int64_t d = c_.head_dim;
    std::vector<Vector> q, k, v;
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector n = norm(x[t], layer.attn_norm);
      q.push_back(times(layer.wq, n, c_.n_head * d));
      k.push_back(times(layer.wk, n, c_.n_head_kv * d));
      v.push_back(times(layer.wv, n, c_.n_head_kv * d));
      rotate(q[t], c_.n_head, static_cast<int64_t>(t));
      rotate(k[t], c_.n_head_kv, static_cast<int64_t>(t));
    }
    for (size_t t = 0; t < x.size(); ++t) {
      Vector z(static_cast<size_t>(c_.n_head * d));
      for (int64_t h = 0; h < c_.n_head; ++h) {
        const int64_t lane = h / (c_.n_head / c_.n_head_kv);
        Vector p(t + 1);
        double total = 0.0;
        for (size_t j = 0; j <= t; ++j) {
          double score = 0.0;
          for (int64_t i = 0; i < d; ++i) {
            score += q[t][static_cast<size_t>(h * d + i)] * k[j][static_cast<size_t>(lane * d + i)];
          }
          p[j] = std::exp(score / std::sqrt(static_cast<double>(d)));
          total += p[j];
        }
        for (size_t j = 0; j <= t; ++j) {
          for (int64_t i = 0; i < d; ++i) {
            z[static_cast<size_t>(h * d + i)] +=
                p[j] / total * v[j][static_cast<size_t>(lane * d + i)];
          }
        }
      }
      const Vector y = times(layer.wo, z, c_.n_embd);
      for (size_t i = 0; i < y.size(); ++i) x[t][i] += y[i];
    }
  }

  void ffn(const LlamaLayer<Vector>& layer, Vector& x) const {
    const Vector n = norm(x, layer.ffn_norm);
    Vector act = times(layer.w_gate, n, c_.n_ff);
    const Vector up = times(layer.w_up, n, c_.n_ff);
    for (size_t i = 0; i < act.size(); ++i) act[i] *= up[i] / (1.0 + std::exp(-act[i]));
    const Vector y = times(layer.w_down, act, c_.n_embd);
    for (size_t i = 0; i < y.size(); ++i) x[i] += y[i];
  }

  Config c_;
};

}  // namespace model::train
