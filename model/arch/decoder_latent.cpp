// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): of a position only
//   c = norm(W_DKV n)  (R)   and   k_R = rope(W_KR n)   are kept, for all heads together.
// A head's key is W_UK c beside k_R and its value W_UV c; instead of making these of every
// position, W_UK goes into the query and W_UV behind the sum, which is the same number:
//   q . (W_UK c) = (W_UK^T q) . c   and   sum_j a_j (W_UV c_j) = W_UV sum_j a_j c_j.
// So all heads read one lane of keys (c beside k_R), whose beginning c is the value.
#include <algorithm>

#include "model/arch/decoder.h"
#include "model/kernels/ops.h"

namespace model {

// Of each head h of n positions, y_h = W_h x_h; x (n, H, x_width) and y (n, H, y_width) may be
// wider than the matrices.
void Decoder::multiply_each_head(const std::vector<Linear>& w, const float* x, int64_t x_width,
                                 int64_t n, float* y, int64_t y_width) {
  const int64_t heads = std::ssize(w);
  const int64_t cols = w.front().weight.cols();
  const bool rounds = rounds_input(w.front().weight.dtype);
  if (n >= kTogether) {
    for (int64_t h = 0; h < heads; ++h) {
      input_.set(x + h * x_width, n, cols, heads * x_width, rounds, pool_);
      matmul(w[static_cast<size_t>(h)], input_, y + h * y_width, heads * y_width, nullptr, pool_);
    }
    return;
  }
  std::vector<Product> products(w.size());
  for (int64_t i = 0; i < n; ++i) {
    input_.set(x + i * heads * x_width, heads, cols, x_width, rounds, pool_, false);
    for (int64_t h = 0; h < heads; ++h) {
      products[static_cast<size_t>(h)] = {&w[static_cast<size_t>(h)], y + (i * heads + h) * y_width,
                                          y_width};
    }
    matmul_each(products, input_, pool_);
  }
}

// q, k and v of the batch.
void Decoder::project_latent(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  const int64_t d = c.head_dim;
  const int64_t plain = c.query_width - c.rope_dim;  // of a query, not rotated
  const Input* x = &input_;
  set_input(input_, a_.norm, pass.n, c.n_embd,
            {(c.query_rank > 0 ? w.wq_down : w.wq).weight.dtype, w.wk.weight.dtype});
  if (c.query_rank > 0) {
    matmul(w.wq_down, input_, a_.query_low.data(), c.query_rank, nullptr, pool_);
    for (int64_t i = 0; i < pass.n; ++i) {
      float* low = a_.query_low.data() + i * c.query_rank;
      rms_norm(low, w.q_norm.gain, c.query_rank, c.norm_eps, low);
    }
    set_input(query_input_, a_.query_low, pass.n, c.query_rank, {w.wq.weight.dtype});
    x = &query_input_;
  }
  matmul(w.wq, *x, a_.query.data(), c.n_head * c.query_width, nullptr, pool_);
  matmul(w.wk, input_, a_.k.data(), d, nullptr, pool_);
  for (int64_t i = 0; i < pass.n; ++i) {
    float* key = a_.k.data() + i * d;
    rms_norm(key, w.k_norm.gain, c.kv_rank, c.norm_eps, key);
    rotate_heads(l, i, key + c.kv_rank, 1, d);
    std::copy_n(key, c.kv_rank, a_.v.data() + i * c.kv_rank);
    float* query = a_.query.data() + i * c.n_head * c.query_width;
    rotate_heads(l, i, query + plain, c.n_head, c.query_width);
    for (int64_t h = 0; h < c.n_head; ++h) {
      std::copy_n(query + h * c.query_width + plain, c.rope_dim,
                  a_.q.data() + (i * c.n_head + h) * d + c.kv_rank);
    }
  }
  if (w.k_up_transposed) {
    matmul_back_each(w.k_up, a_.query.data(), c.query_width, pass.n, a_.q.data(), d, pool_);
  } else {
    multiply_each_head(w.k_up, a_.query.data(), c.query_width, pass.n, a_.q.data(), d);
  }
}

void Decoder::mix_latent(const Pass& pass, int64_t l) {
  const Config& c = config_;
  multiply_each_head(weights_.layers[static_cast<size_t>(l)].v_up, a_.z.data(), c.kv_rank, pass.n,
                     a_.mix.data(), c.mix_width());
}

// What the heads write back on what they read: through W_O, then through W_UV.
void Decoder::latent_backs(const Pass& pass, int64_t l) {
  const Config& c = config_;
  head_backs(pass, l);
  a_.latent_back.resize(static_cast<size_t>(pass.n * c.n_head * c.kv_rank));
  matmul_back_each(weights_.layers[static_cast<size_t>(l)].v_up, a_.head_back.data(), c.mix_width(),
                   pass.n, a_.latent_back.data(), c.kv_rank, pool_);
  pool_.run([&](int thread) {
    const auto [begin, end] = ThreadPool::share(c.n_head, thread, pool_.size());
    for (int64_t h = begin; h < end; ++h) {
      for (int64_t i = 0; i < pass.n; ++i) {
        const int64_t row = pass.row(i, h, c.n_head);
        tell_head(pass, l, i, h, a_.scores.data() + row, a_.weights.data() + row);
      }
    }
  });
}

}  // namespace model
