// The element-by-element work of a forward pass. The same bits on every instruction set: no
// fused multiply-adds, sums of rows over 16 lanes that are added as a tree.
#pragma once

#include <cstdint>
#include <limits>

namespace model {

enum class CacheType { kF32, kF16, kQ8_0 };

// Bytes of one vector of d values in the cache. Q8_0 wants d to be a multiple of 32.
int64_t cache_bytes(CacheType type, int64_t d) noexcept;
// Stores d floats as `type`, and reads them back.
void cache_store(CacheType type, const float* x, int64_t d, void* out) noexcept;
void cache_load(CacheType type, const void* in, int64_t d, float* out) noexcept;

// Where a lane's vectors are in a cache: kCacheBlock positions one behind the other, and those that
// follow `step` bytes further on. Half as many would be too short for what the processor fetches by
// itself.
inline constexpr int64_t kCacheBlock = 64;
struct CacheLane {
  CacheType type;
  const char* k;   // key of position 0, in the cache's type
  const char* v;   // value of position 0
  int64_t stride;  // bytes from one position to the next in a block, of k and of v
  int64_t step;    // bytes from one block to the next
  int64_t offset(int64_t position) const noexcept {
    return position / kCacheBlock * step + position % kCacheBlock * stride;
  }
};

// One query head against the cache of its KV head (Vaswani et al. 2017, arXiv:1706.03762).
struct AttentionHead {
  const float* q;  // (d)
  CacheLane lane;
  int64_t d;            // of q and a key
  int64_t value_width;  // of a value
  int64_t first;        // the positions [first, end) are read; the others have weight 0
  int64_t end;
  float scale;     // of q . k
  float soft_cap;  // 0: none; else s = cap tanh(s / cap) (Gemma 2, arXiv:2408.00118)
  // What the processor has not at hand yet: the values, and the keys (from position 0 on) of the
  // head after this one, or nullptr. Both are fetched while other sums are made.
  bool fetch_v = false;
  const char* next_k = nullptr;
  // A logit beside the scores whose weight reads nothing: a_j = e^s_j / (e^sink + sum_i e^s_i)
  // (gpt-oss, arXiv:2508.10925). Minus infinity: none.
  float sink = -std::numeric_limits<float>::infinity();
};
// scores, weights (end): s_j and a_j, zeros below `first`; z (value_width) = sum_j a_j v_j. Returns
// what the sink takes, 1 - sum_j a_j; 0 without one.
float attend(const AttentionHead& head, float* scores, float* weights, float* z) noexcept;

// out[i] = v_j . back for the n positions j of the list, or for the first n where positions is
// nullptr, back (d), the width of a value; with attend's z this splits one head's term.
void attend_back(const CacheLane& lane, const float* back, int64_t d, const int32_t* positions,
                 int64_t n, float* out) noexcept;

// y = x / sqrt(mean(x^2) + eps) * gain (Zhang & Sennrich 2019, arXiv:1910.07467). gain may be
// nullptr (ones). y may be x. Returns the scale 1 / sqrt(...).
float rms_norm(const float* x, const float* gain, int64_t n, float eps, float* y) noexcept;
// y = (x - mean) / sqrt(var + eps) * gain + bias (Ba et al. 2016, arXiv:1607.06450).
float layer_norm(const float* x, const float* gain, const float* bias, int64_t n, float eps,
                 float* y) noexcept;

// y += by x.
void add_scaled(const float* x, int64_t n, float by, float* y) noexcept;
// x *= by; where that is 1, nothing.
void scale_by(float* x, int64_t n, float by) noexcept;

// y = silu(gate) * up, silu(g) = g / (1 + exp(-g)); up may be nullptr (ones). y may be gate.
void silu(const float* gate, const float* up, int64_t n, float* y) noexcept;
// y = gelu(gate) * up by the tanh formula (Hendrycks & Gimpel 2016, arXiv:1606.08415).
void gelu(const float* gate, const float* up, int64_t n, float* y) noexcept;
// y = x Phi(x), Phi the normal distribution: what the tanh formula approximates to 5e-4.
void gelu_exact(const float* x, int64_t n, float* y) noexcept;

// y = g sigmoid(1.702 g) (u + 1), g the gate but at most 7, u `up` between -7 and 7 (gpt-oss,
// arXiv:2508.10925). y may be gate.
void clamped_swiglu(const float* gate, const float* up, int64_t n, float* y) noexcept;

// y = softmax(x) over n values; y may be x.
void softmax(const float* x, int64_t n, float* y) noexcept;

// Rotates heads in place (Su et al. 2021, arXiv:2104.09864): pairs (2i, 2i+1), or with `halves`
// (i, i + n_rot/2), of each of n_heads vectors of width d, by cos, sin (n_rot / 2).
void rotate(float* heads, int64_t n_heads, int64_t d, int64_t n_rot, bool halves, const float* cos,
            const float* sin) noexcept;

double dot(const float* a, const float* b, int64_t n) noexcept;

// The numbers of the k values of largest magnitude, in ascending order, ties to the lower number;
// all n of them where there are no more. Returns how many. NaN is the largest.
int64_t strongest(const float* x, int64_t n, int64_t k, int32_t* out) noexcept;

// How many of n values say something about a scale (not 0, not NaN), and how many have a magnitude
// of at least `floor` or are NaN; floor >= 0.
struct Tally {
  int64_t numbers;
  int64_t high;
};
Tally tally(const float* x, int64_t n, float floor) noexcept;

// The bins of a histogram over |x|: value i belongs into the one that the upper 32 - shift bits of
// its float give, counted from `lowest`, those outside of [0, count) into the first and the last.
// What is no number of at least `floor` (0, NaN, too small) belongs into bin count + i % 16: adding
// to one that has just been added to would wait for it.
struct Bins {
  int shift;
  int32_t lowest;
  int32_t count;  // < 2^15
};
void bins_of(const float* x, int64_t n, const Bins& bins, float floor, int16_t* out) noexcept;

// out: the numbers 0 .. n-1 of values in the order of |x|, largest first, ties by number; n <= 16.
// NaN is the largest.
void order_by_size(const float* x, int64_t n, int32_t* out) noexcept;

// y = R^T (R x), and |R x|^2: for an upper triangular matrix R (n, n), n <= kWidestFactor, of which
// M = R^T R. Stored in tiles of sixteen by sixteen, one after the other as they are read: of each
// sixteen rows those from the diagonal on; n filled up with zeros to a multiple of sixteen.
inline constexpr int64_t kFactorBlock = 16;
inline constexpr int64_t kWidestFactor = 512;
inline int64_t factor_floats(int64_t n) noexcept {
  const int64_t blocks = (n + kFactorBlock - 1) / kFactorBlock;
  return blocks * (blocks + 1) / 2 * kFactorBlock * kFactorBlock;
}
float factor_matvec(const float* factor, const float* x, int64_t n, float* y) noexcept;

}  // namespace model
