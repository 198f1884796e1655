// Causal attention with grouped queries: head h reads the keys and values of KV head
// h / (H / K) (Ainslie et al. 2023, arXiv:2305.13245).
#include <algorithm>
#include <cmath>
#include <utility>

#include "model/arch/decoder.h"
#include "model/kernels/factor.h"
#include "model/kernels/gemm.h"
#include "model/kernels/ops.h"

namespace model {

namespace {

// Multiplications below which waking other threads costs more than it saves.
constexpr int64_t kWorthSharing = 1 << 14;

float temperature(const Config& c, int64_t position) noexcept {
  const auto lengths = static_cast<float>(position / c.temperature_length);
  return 1.0F + c.temperature_scale * std::log(1.0F + lengths);
}

}  // namespace

void Decoder::attention(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  if (pass.wants_backs() && factors_ == nullptr && has_factors()) build_factors();
  c.latent() ? project_latent(pass, l) : project(pass, l);
  for (int64_t i = 0; c.temperature_scale != 0.0F && i < pass.n; ++i) {
    const int64_t width = c.n_head * c.head_dim;
    scale_by(a_.q.data() + i * width, width, temperature(c, pass.first + i));
  }
  attend_all(pass, l);
  if (c.latent()) mix_latent(pass, l);
  output_projection(pass, l);
  if (pass.sink == nullptr) return;
  if (c.latent() && pass.wants_backs()) latent_backs(pass, l);
  pool_.beside([this, pass, l] {
    tap_attention(pass, l);
    pass.sink->reduce(Operation::kAttention, l);
  });
  size_t weights = 0;
  for (const Linear* one : {&w.wq_down, &w.wq, &w.wk, &w.wv, &w.wo}) {
    if (!one->empty()) weights += one->weight.bytes();
  }
  for (const std::vector<Linear>* heads : {&w.k_up, &w.v_up}) {
    for (const Linear& one : *heads) weights += one.weight.bytes();
  }
  const int64_t reach = pass.first + pass.n;
  const int64_t read = c.windowed(l) ? std::min(c.window, reach) : reach;
  pass.sink->on_operation(Operation::kAttention, l,
                          static_cast<int64_t>(weights) + pass.cache.bytes(1, read));
}

// What does not have to be seen at once: none of it is written to before the FFN's update is made.
void Decoder::tap_attention(const Pass& pass, int64_t l) {
  const Config& c = config_;
  tap(pass, Tap::kQ, l, a_.q, c.n_head, c.head_dim);
  tap(pass, Tap::kK, l, a_.k, c.n_head_kv, c.head_dim);
  tap(pass, Tap::kV, l, a_.v, c.n_head_kv, c.value_width());
  tap(pass, Tap::kMix, l, mixes(), c.n_head, c.mix_width());
  tap(pass, Tap::kHeadOut, l, a_.head_out, c.n_head, c.n_embd);
  if (pass.wants(Tap::kHeadShare) || pass.wants(Tap::kAttnBiasShare)) head_shares(pass, l);
  if (pass.wants_backs()) {
    if (!backs_at_once(l) && !c.latent()) head_backs(pass, l);
    tap(pass, Tap::kHeadBack, l, c.latent() ? a_.latent_back : a_.head_back, c.n_head,
        c.value_width());
    tap(pass, Tap::kHeadEnergy, l, a_.head_energy, 1, c.n_head);
  }
  tap(pass, Tap::kAttnOut, l, a_.update, 1, c.n_embd);
  tap(pass, Tap::kResidMid, l, a_.x, 1, c.n_embd);
}

// q, k and v of the batch, normalised and rotated.
void Decoder::project(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  const int64_t q_width = c.n_head * c.head_dim;
  const int64_t kv_width = c.n_head_kv * c.head_dim;
  set_input(input_, a_.norm, pass.n, c.n_embd,
            {w.wq.weight.dtype, w.wk.weight.dtype, w.wv.weight.dtype});
  const Product products[] = {{&w.wq, a_.q.data(), q_width},
                              {&w.wk, a_.k.data(), kv_width},
                              {&w.wv, a_.v.data(), kv_width}};
  matmul(products, input_, pool_);

  const auto normalise_each = [&](float* heads, int64_t n_heads, const Norm& norm) {
    for (int64_t h = 0; h < n_heads; ++h) {
      rms_norm(heads + h * c.head_dim, norm.gain, c.head_dim, c.norm_eps, heads + h * c.head_dim);
    }
  };
  const auto prepare = [&](float* heads, int64_t n_heads, const Norm& norm, int64_t i) {
    if (c.qk_norm == QkNorm::kProjection)
      rms_norm(heads, norm.gain, n_heads * c.head_dim, c.norm_eps, heads);
    if (c.qk_norm == QkNorm::kHead) normalise_each(heads, n_heads, norm);
    rotate_heads(l, i, heads, n_heads, c.head_dim);
    if (c.qk_norm == QkNorm::kRotatedHead) normalise_each(heads, n_heads, norm);
  };
  for (int64_t i = 0; i < pass.n; ++i) {
    prepare(a_.q.data() + i * q_width, c.n_head, w.q_norm, i);
    prepare(a_.k.data() + i * kv_width, c.n_head_kv, w.k_norm, i);
  }
}

// The leading part of each of n heads, that lie so far apart, at position i of the batch.
void Decoder::rotate_heads(int64_t l, int64_t i, float* heads, int64_t n_heads,
                           int64_t width) const {
  const Config& c = config_;
  if (!c.rotated(l)) return;
  const bool local = c.rope_base_local > 0.0F && c.windowed(l);
  const Rope& rope = local ? rope_local_ : rope_;
  rotate(heads, n_heads, width, c.rope_dim, c.rope == RopeKind::kHalves,
         rope.cos.data() + i * c.rope_dim / 2, rope.sin.data() + i * c.rope_dim / 2);
}

// k and v of the batch into lanes first <= lane < last of the cache.
void Decoder::store(const Pass& pass, int64_t l, int64_t first, int64_t last) const noexcept {
  const int64_t width = config_.n_head_kv * config_.head_dim;
  for (int64_t lane = first; lane < last; ++lane) {
    for (int64_t i = 0; i < pass.n; ++i) {
      pass.cache.store(l, pass.first + i, lane, a_.k.data() + i * width, a_.v.data() + i * width);
    }
  }
}

void Decoder::attend_position(const Pass& pass, int64_t l, int64_t i, int64_t h, float* scores,
                              float* weights) noexcept {
  const Config& c = config_;
  const int64_t end = pass.first + i + 1;
  const int64_t heads = c.n_head / c.n_head_kv;  // that read a lane, one after the other
  const int64_t lane = h / heads;
  const int64_t next = (h + 1) / heads;
  AttentionHead head{
      .q = a_.q.data() + (i * c.n_head + h) * c.head_dim,
      .lane = pass.cache.lane(l, lane),
      .d = c.head_dim,
      .value_width = c.value_width(),
      .first = c.windowed(l) ? std::max<int64_t>(0, end - c.window) : 0,
      .end = end,
      .scale = c.attention_scale,
      .soft_cap = c.score_soft_cap,
      .fetch_v = !c.latent() && i == 0 && h % heads == 0,
      .next_k = i + 1 == pass.n && next != lane && next < c.n_head_kv ? pass.cache.lane(l, next).k
                                                                      : nullptr,
  };
  const float* sinks = weights_.layers[static_cast<size_t>(l)].sinks;
  if (sinks != nullptr) head.sink = sinks[h];
  float* z = a_.z.data() + (i * c.n_head + h) * c.value_width();
  a_.sink_weight[static_cast<size_t>(i * c.n_head + h)] = attend(head, scores, weights, z);
  pass.mute(Part::kHeads, l, h, 1, c.value_width(), z);
}

// The batch's k and v go into the cache, and its heads attend. A lane that only one thread reads is
// stored by it: another's core would have to hand over what it has read in advance.
void Decoder::attend_all(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const auto whole_lanes = [&](int threads) { return c.n_head_kv % threads == 0; };
  const bool backs = pass.wants_backs() && backs_at_once(l);
  // What of all heads is asked for later; else a thread's own is enough.
  const bool all_scores = pass.wants(Tap::kScores) || (pass.wants_heads() && !backs);
  const bool all_weights = all_scores || pass.wants(Tap::kWeights);
  const int64_t items = pass.n * c.n_head;
  const int64_t reach = pass.first + pass.n;
  const int64_t apart = (reach + 31) / 16 * 16;  // no two threads write to one cache line
  const auto make_room = [&](Values& values, bool all) {
    const int64_t floats = all ? pass.row(pass.n, 0, c.n_head) : pool_.size() * apart;
    if (std::ssize(values) >= floats) return;
    // Room for some positions more; what was there need not stay.
    values = Values();
    values.resize(static_cast<size_t>(floats + 64 * std::max<int64_t>(c.n_head, pool_.size())));
  };
  make_room(a_.scores, all_scores);
  make_room(a_.weights, all_weights);
  const int64_t of_lane = items / c.n_head_kv;
  const auto work = [&](int thread, int threads) {
    const auto [begin, end] = ThreadPool::share(items, thread, threads);
    if (whole_lanes(threads)) store(pass, l, begin / of_lane, end / of_lane);
    for (int64_t item = begin; item < end; ++item) {
      // Head after head: what all positions read of one stays in the cache.
      const int64_t h = item / pass.n;
      const int64_t i = item % pass.n;
      const int64_t row = pass.row(i, h, c.n_head);
      float* scores = a_.scores.data() + (all_scores ? row : thread * apart);
      float* weights = a_.weights.data() + (all_weights ? row : thread * apart);
      if (backs && i == 0) fetch_factor(l, h);
      attend_position(pass, l, i, h, scores, weights);
      if (backs) head_back_at_once(pass, l, i, h, scores, weights);
    }
  };
  if (items * (reach + (backs ? c.head_dim : 0)) * c.head_dim < kWorthSharing) {
    work(0, 1);
  } else {
    if (!whole_lanes(pool_.size())) store(pass, l, 0, c.n_head_kv);
    pool_.run([&](int thread) { work(thread, pool_.size()); });
  }
  for (const auto& [name, values] :
       {std::pair{Tap::kScores, &a_.scores}, std::pair{Tap::kWeights, &a_.weights}}) {
    for (int64_t i = 0; pass.wants(name) && i < pass.n; ++i) {
      const int64_t position = pass.first + i;
      pass.sink->on_tap(name, l, position, values->data() + pass.row(i, 0, c.n_head), c.n_head,
                        position + 1);
    }
  }
}

// So that it is on its way while the head attends.
void Decoder::fetch_factor(int64_t l, int64_t h) const noexcept {
  const char* bytes = reinterpret_cast<const char*>(factor(factors_, l, h));
  for (int64_t k = 0; k < factor_bytes(); k += 64) __builtin_prefetch(bytes + k);
  // To GCC a function that only fetches has no effect, and it leaves out the calls of it.
  asm volatile("");
}

// da = W_o z, and what its terms and their shares are made of.
void Decoder::output_projection(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  const bool shares = pass.wants(Tap::kHeadShare) || pass.wants(Tap::kAttnBiasShare);
  const bool back = pass.wants_backs() && factors_ == nullptr;
  const bool out = pass.wants(Tap::kHeadOut);
  if (out) a_.head_out.resize(static_cast<size_t>(pass.n * c.n_head * c.n_embd));
  for (int64_t i = 0; i < pass.n; ++i) {
    Gather& g = a_.gathers[static_cast<size_t>(i)];
    g = {};
    g.row_gain = row_gain(attn_gain_[static_cast<size_t>(l)]);
    g.group_width = c.mix_width();
    if (shares) g.group_dot = a_.head_dot.data() + i * c.n_head;
    if (out) g.group_out = a_.head_out.data() + i * c.n_head * c.n_embd;
    if (back) g.back = a_.head_back.data() + i * c.n_head * c.mix_width();
    g.group_back = true;
  }
  pool_.settle();  // products too small to be shared did not see to it
  set_input(z_input_, mixes(), pass.n, c.n_head * c.mix_width(), {w.wo.weight.dtype});
  matmul(w.wo, z_input_, a_.sum.data(), c.n_embd,
         shares || back || out ? a_.gathers.data() : nullptr, pool_);
  make_update(w.attn_post_norm, pass.n);
}

bool Decoder::has_factors() const noexcept {
  constexpr int64_t kMost = int64_t{96} << 20;
  const Config& c = config_;
  return c.mix_width() <= kWidestFactor && c.n_layer * c.n_head * factor_bytes() <= kMost;
}

int64_t Decoder::factor_bytes() const noexcept {
  return factor_floats(config_.mix_width()) * int64_t{sizeof(float)};
}

float* Decoder::factor(const Pages& factors, int64_t l, int64_t h) const noexcept {
  auto* first = reinterpret_cast<float*>(factors.get());
  return first + (l * config_.n_head + h) * factor_floats(config_.mix_width());
}

void Decoder::build_factors() {
  constexpr int64_t kRows = 256;
  const Config& c = config_;
  const int64_t d = c.mix_width();
  const int64_t width = c.n_head * d;
  const int64_t square = d * d;
  Values block(static_cast<size_t>(kRows * width));
  std::vector<double> grams(static_cast<size_t>(c.n_head * square));
  const auto each_head = [&](const auto& work) {
    pool_.run([&](int thread) {
      const auto [begin, end] = ThreadPool::share(c.n_head, thread, pool_.size());
      for (int64_t h = begin; h < end; ++h) work(h, grams.data() + h * square);
    });
  };
  const auto bytes = static_cast<size_t>(c.n_layer * c.n_head * factor_bytes());
  Pages factors = zero_pages((bytes + kHugePage - 1) / kHugePage * kHugePage);
  for (int64_t l = 0; l < c.n_layer; ++l) {
    const Layer& w = weights_.layers[static_cast<size_t>(l)];
    const Tensor& wo = w.wo.weight;
    const float* post = w.attn_post_norm.gain;
    std::fill(grams.begin(), grams.end(), 0.0);
    for (int64_t first = 0; first < c.n_embd; first += kRows) {
      const int64_t rows = std::min(kRows, c.n_embd - first);
      pool_.run([&](int thread) {
        const auto [begin, end] = ThreadPool::share(rows, thread, pool_.size());
        for (int64_t i = begin; i < end; ++i) {
          float* row = block.data() + i * width;
          dequantize_row(wo, first + i, row);
          for (int64_t j = 0; post != nullptr && j < width; ++j) row[j] *= post[first + i];
        }
      });
      each_head(
          [&](int64_t h, double* gram) { add_gram(block.data() + h * d, rows, width, d, gram); });
    }
    each_head([&](int64_t h, double* gram) { factorise(gram, d, factor(factors, l, h)); });
  }
  factors_ = std::move(factors);  // all, or where memory gives out on the way none
}

// Shares of the heads.
void Decoder::head_shares(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const Layer& w = weights_.layers[static_cast<size_t>(l)];
  const Values& gain = attn_gain_[static_cast<size_t>(l)];
  const auto* bias = reinterpret_cast<const float*>(w.wo.bias.data);
  Values bias_share(static_cast<size_t>(pass.n));
  for (int64_t i = 0; i < pass.n; ++i) {
    const auto [u, scale] = measure(a_.sum.data() + i * c.n_embd, gain);
    const double from_bias = bias != nullptr ? dot(u, bias, c.n_embd) : 0.0;
    bias_share[static_cast<size_t>(i)] = static_cast<float>(from_bias * scale);
    for (int64_t h = i * c.n_head; h < (i + 1) * c.n_head; ++h) {
      float& share = a_.head_dot[static_cast<size_t>(h)];
      share = static_cast<float>(double{share} * scale);
    }
  }
  tap(pass, Tap::kHeadShare, l, a_.head_dot, 1, c.n_head);
  tap(pass, Tap::kAttnBiasShare, l, bias_share, 1, 1);
}

// Whether what a head writes back is known as soon as its z is: where that takes only its own part
// of z~, which is no product of z itself.
bool Decoder::backs_at_once(int64_t l) const noexcept {
  const bool rounds = rounds_input(weights_.layers[static_cast<size_t>(l)].wo.weight.dtype);
  return factors_ != nullptr && !config_.latent() &&
         (!rounds || config_.head_dim % kBlockWidth == 0);
}

void Decoder::head_back_at_once(const Pass& pass, int64_t l, int64_t i, int64_t h,
                                const float* scores, const float* weights) {
  static_assert(kWidestFactor <= Input::kWidestPart);
  const int64_t d = config_.head_dim;
  const float* z = a_.z.data() + (i * config_.n_head + h) * d;
  alignas(64) float rounded[Input::kWidestPart];
  const float* read = z;
  if (rounds_input(weights_.layers[static_cast<size_t>(l)].wo.weight.dtype)) {
    Input::rounded_part(z, d, rounded);
    read = rounded;
  }
  head_back(l, i, h, read);
  tell_head(pass, l, i, h, scores, weights);
}

// Of all heads, once W_O has been multiplied with.
void Decoder::head_backs(const Pass& pass, int64_t l) {
  const Config& c = config_;
  const bool rounds = rounds_input(weights_.layers[static_cast<size_t>(l)].wo.weight.dtype);
  for (int64_t i = 0; i < pass.n; ++i) {
    const float* read = z_input_.row(i);
    if (rounds) {
      z_input_.rounded(i, a_.z_read.data());
      read = a_.z_read.data();
    }
    for (int64_t h = 0; h < c.n_head; ++h) {
      const int64_t row = pass.row(i, h, c.n_head);
      head_back(l, i, h, read + h * c.mix_width());
      if (!c.latent()) tell_head(pass, l, i, h, a_.scores.data() + row, a_.weights.data() + row);
    }
  }
}

// What a head writes back on its z~ (`read`), W_O,h^T (g^2 o_h), and its |g o_h|^2.
void Decoder::head_back(int64_t l, int64_t i, int64_t h, const float* read) {
  const int64_t d = config_.mix_width();
  const int64_t item = i * config_.n_head + h;
  float* back = a_.head_back.data() + item * d;
  const float energy = factors_ == nullptr ? static_cast<float>(dot(read, back, d))
                                           : factor_matvec(factor(factors_, l, h), read, d, back);
  a_.head_energy[static_cast<size_t>(item)] = energy;
}

void Decoder::tell_head(const Pass& pass, int64_t l, int64_t i, int64_t h, const float* scores,
                        const float* weights) {
  if (!pass.wants_heads()) return;
  const int64_t d = config_.value_width();
  const int64_t item = i * config_.n_head + h;
  const Values& back = config_.latent() ? a_.latent_back : a_.head_back;
  pass.sink->on_head(
      l, pass.first + i, h,
      {scores, weights, a_.z.data() + item * d, back.data() + item * d,
       a_.head_energy[static_cast<size_t>(item)], a_.sink_weight[static_cast<size_t>(item)]});
}

}  // namespace model
