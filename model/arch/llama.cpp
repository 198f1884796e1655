#include "model/arch/llama.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/arch/families.h"
#include "model/kernels/matvec.h"

namespace model {

namespace {

// Scratch of one position, every intermediate under its own name.
struct Activations {
  explicit Activations(const Config& c, int64_t capacity)
      : x(c.n_embd),
        norm(c.n_embd),
        q(c.n_head * c.head_dim),
        k(c.n_head_kv * c.head_dim),
        v(c.n_head_kv * c.head_dim),
        scores(c.n_head * capacity),
        weights(c.n_head * capacity),
        z(c.n_head * c.head_dim),
        head_out(c.n_head * c.n_embd),
        head_back(c.n_head * c.head_dim),
        attn_out(c.n_embd),
        gate(c.n_ff),
        up(c.n_ff),
        act(c.n_ff),
        ffn_out(c.n_embd),
        ffn_back(c.n_ff) {}

  using Values = std::vector<float>;
  Values x;          // (C)
  Values norm;       // (C)
  Values q;          // (H, D)
  Values k, v;       // (K, D)
  Values scores;     // (H, T)
  Values weights;    // (H, T)
  Values z;          // (H, D)
  Values head_out;   // (H, C)
  Values head_back;  // (H, D)
  Values attn_out;   // (C)
  Values gate, up;   // (F)
  Values act;        // (F)
  Values ffn_out;    // (C)
  Values ffn_back;   // (F)
};

// y_i = x_i / sqrt(mean(x^2) + eps) * g_i
void rmsnorm(const std::vector<float>& x, const Tensor& gain, float eps,
             std::vector<float>& y) noexcept {
  double sum = 0.0;
  for (const float value : x) sum += double{value} * double{value};
  const float scale =
      1.0F / std::sqrt(static_cast<float>(sum / static_cast<double>(x.size())) + eps);
  dequantize_row(gain, 0, y.data());
  for (size_t i = 0; i < x.size(); ++i) y[i] *= x[i] * scale;
}

// Rotates pairs (2i, 2i+1) of every head by position * base^(-2i/rope_dim).
void rope(std::vector<float>& heads, const Config& c, int64_t position) noexcept {
  for (int64_t i = 0; i < c.rope_dim / 2; ++i) {
    const double angle = static_cast<double>(position) *
                         std::pow(double{c.rope_base},
                                  -2.0 * static_cast<double>(i) / static_cast<double>(c.rope_dim));
    const auto cosine = static_cast<float>(std::cos(angle));
    const auto sine = static_cast<float>(std::sin(angle));
    for (size_t h = 0; h < heads.size(); h += static_cast<size_t>(c.head_dim)) {
      float* pair = heads.data() + h + 2 * i;
      const float a = pair[0];
      const float b = pair[1];
      pair[0] = a * cosine - b * sine;
      pair[1] = a * sine + b * cosine;
    }
  }
}

void softmax(const float* scores, int64_t n, float* weights) noexcept {
  const float top = *std::max_element(scores, scores + n);
  double sum = 0.0;
  for (int64_t j = 0; j < n; ++j) {
    weights[j] = std::exp(scores[j] - top);
    sum += double{weights[j]};
  }
  const auto scale = static_cast<float>(1.0 / sum);
  for (int64_t j = 0; j < n; ++j) weights[j] *= scale;
}

class Llama final : public Model {
 public:
  explicit Llama(const ModelFile& file) : config_(read_config(file)) {
    weights_.layers.resize(static_cast<size_t>(config_.n_layer));
    for_each_tensor(weights_, config_,
                    [&](Tensor& tensor, const std::string& name, int64_t rows, int64_t cols) {
                      tensor = file.require_tensor(name, rows, cols);
                    });
    if (config_.tied) weights_.output = weights_.token_embd;
  }

  const Config& config() const noexcept override { return config_; }

  void forward(int32_t id, int64_t position, KvCache& cache, float* logits,
               TapSink* sink) noexcept override {
    const Config& c = config_;
    if (!activations_ || reach_ < cache.capacity()) {
      reach_ = cache.capacity();
      activations_ = std::make_unique<Activations>(c, reach_);
    }
    Activations& a = *activations_;
    const auto tap = [&](Tap name, int64_t layer, const std::vector<float>& data, int64_t rows,
                         int64_t cols) {
      if (sink != nullptr) sink->on_tap(name, layer, data.data(), rows, cols);
    };
    const auto done = [&](int kind, int64_t layer, int64_t bytes) {
      if (sink != nullptr) sink->on_operation(kind, layer, bytes);
    };

    dequantize_row(weights_.token_embd, id, a.x.data());
    tap(Tap::kEmbedding, 0, a.x, 1, c.n_embd);
    done(2, 0, static_cast<int64_t>(weights_.token_embd.row_bytes()));
    for (int64_t l = 0; l < c.n_layer; ++l) {
      const LlamaLayer<Tensor>& w = weights_.layers[static_cast<size_t>(l)];
      tap(Tap::kResidPre, l, a.x, 1, c.n_embd);
      attention(w, l, position, cache, sink != nullptr, a);
      const int64_t reach = position + 1;
      tap(Tap::kAttnNorm, l, a.norm, 1, c.n_embd);
      tap(Tap::kQ, l, a.q, c.n_head, c.head_dim);
      tap(Tap::kK, l, a.k, c.n_head_kv, c.head_dim);
      tap(Tap::kV, l, a.v, c.n_head_kv, c.head_dim);
      tap(Tap::kScores, l, a.scores, c.n_head, reach);
      tap(Tap::kWeights, l, a.weights, c.n_head, reach);
      tap(Tap::kMix, l, a.z, c.n_head, c.head_dim);
      tap(Tap::kHeadOut, l, a.head_out, c.n_head, c.n_embd);
      tap(Tap::kHeadBack, l, a.head_back, c.n_head, c.head_dim);
      tap(Tap::kAttnOut, l, a.attn_out, 1, c.n_embd);
      for (size_t i = 0; i < a.x.size(); ++i) a.x[i] += a.attn_out[i];
      tap(Tap::kResidMid, l, a.x, 1, c.n_embd);
      done(0, l,
           static_cast<int64_t>(w.wq.bytes() + w.wk.bytes() + w.wv.bytes() + w.wo.bytes()) +
               cache.bytes(1, reach));

      rmsnorm(a.x, w.ffn_norm, c.norm_eps, a.norm);
      matvec(w.w_gate, a.norm.data(), a.gate.data());
      matvec(w.w_up, a.norm.data(), a.up.data());
      for (size_t i = 0; i < a.act.size(); ++i) {
        a.act[i] = a.gate[i] / (1.0F + std::exp(-a.gate[i])) * a.up[i];
      }
      matvec_grouped(w.w_down, a.act.data(), 1, nullptr, a.ffn_out.data(),
                     sink != nullptr ? a.ffn_back.data() : nullptr);
      tap(Tap::kFfnNorm, l, a.norm, 1, c.n_embd);
      tap(Tap::kGate, l, a.gate, 1, c.n_ff);
      tap(Tap::kUp, l, a.up, 1, c.n_ff);
      tap(Tap::kAct, l, a.act, 1, c.n_ff);
      tap(Tap::kFfnOut, l, a.ffn_out, 1, c.n_embd);
      tap(Tap::kFfnBack, l, a.ffn_back, 1, c.n_ff);
      for (size_t i = 0; i < a.x.size(); ++i) a.x[i] += a.ffn_out[i];
      tap(Tap::kResidPost, l, a.x, 1, c.n_embd);
      done(1, l, static_cast<int64_t>(w.w_gate.bytes() + w.w_up.bytes() + w.w_down.bytes()));
    }
    if (logits == nullptr) return;
    rmsnorm(a.x, weights_.output_norm, c.norm_eps, a.norm);
    tap(Tap::kNorm, 0, a.norm, 1, c.n_embd);
    matvec(weights_.output, a.norm.data(), logits);
    if (sink != nullptr) sink->on_tap(Tap::kLogits, 0, logits, 1, c.n_vocab);
    done(3, 0, static_cast<int64_t>(weights_.output.bytes()));
  }

 private:
  // Causal attention with grouped queries: head h reads the keys and values of KV head
  // h / (H / K) (Ainslie et al. 2023, arXiv:2305.13245).
  void attention(const LlamaLayer<Tensor>& w, int64_t layer, int64_t position, KvCache& cache,
                 bool tapped, Activations& a) const noexcept {
    const Config& c = config_;
    const int64_t reach = position + 1;
    rmsnorm(a.x, w.attn_norm, c.norm_eps, a.norm);
    matvec(w.wq, a.norm.data(), a.q.data());
    matvec(w.wk, a.norm.data(), a.k.data());
    matvec(w.wv, a.norm.data(), a.v.data());
    rope(a.q, c, position);
    rope(a.k, c, position);
    std::copy(a.k.begin(), a.k.end(), cache.k(layer, position));
    std::copy(a.v.begin(), a.v.end(), cache.v(layer, position));
    const float scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim));
    const int64_t heads_per_kv = c.n_head / c.n_head_kv;
    for (int64_t h = 0; h < c.n_head; ++h) {
      const float* q = a.q.data() + h * c.head_dim;
      float* scores = a.scores.data() + h * reach;
      float* weights = a.weights.data() + h * reach;
      float* z = a.z.data() + h * c.head_dim;
      const int64_t lane = h / heads_per_kv * c.head_dim;
      for (int64_t j = 0; j < reach; ++j) {
        const float* k = cache.k(layer, j) + lane;
        float dot = 0.0F;
        for (int64_t d = 0; d < c.head_dim; ++d) dot += q[d] * k[d];
        scores[j] = dot * scale;
      }
      softmax(scores, reach, weights);
      std::fill(z, z + c.head_dim, 0.0F);
      for (int64_t j = 0; j < reach; ++j) {
        const float* v = cache.v(layer, j) + lane;
        for (int64_t d = 0; d < c.head_dim; ++d) z[d] += weights[j] * v[d];
      }
    }
    matvec_grouped(w.wo, a.z.data(), c.n_head, a.head_out.data(), a.attn_out.data(),
                   tapped ? a.head_back.data() : nullptr);
  }

  Config config_;
  LlamaWeights<Tensor> weights_;
  std::unique_ptr<Activations> activations_;
  int64_t reach_ = 0;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelFile& file) {
  return std::make_unique<Llama>(file);
}

}  // namespace model
