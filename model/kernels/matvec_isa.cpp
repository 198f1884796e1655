// Compiled once per instruction set (see model/CMakeLists.txt); picked in matvec.cpp.
#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "model/tensor.h"

namespace model::FULGURITE_ISA {

namespace {

constexpr int64_t kLanes = 16;

// Rows as float32: F32 rows are used where they lie, F16 rows go through a small buffer.
constexpr int64_t kBlock = 1024;

inline void widen(const uint16_t* half, int64_t n, float* out) noexcept {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(out + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half + i))));
  }
#endif
  for (; i < n; ++i) out[i] = f32_from_f16(half[i]);
}

// Adds w . x to the lanes.
inline void dot_lanes(const float* w, const float* x, int64_t n, float* lanes) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) lanes[k] += w[i + k] * x[i + k];
  }
  for (int64_t k = 0; i < n; ++i, ++k) lanes[k] += w[i] * x[i];
}

inline float sum_lanes(const float* lanes) noexcept {
  float a[8];
  for (int k = 0; k < 8; ++k) a[k] = lanes[k] + lanes[k + 8];
  for (int k = 0; k < 4; ++k) a[k] += a[k + 4];
  return (a[0] + a[2]) + (a[1] + a[3]);
}

inline const float* block_of(const Tensor& w, int64_t row, int64_t col, int64_t n,
                             float* buffer) noexcept {
  const std::byte* at = w.row(row);
  if (w.dtype == DType::kF32) return reinterpret_cast<const float*>(at) + col;
  widen(reinterpret_cast<const uint16_t*>(at) + col, n, buffer);
  return buffer;
}

}  // namespace

void matvec_grouped(const Tensor& w, const float* x, int64_t n_groups, float* partial, float* y,
                    float* back) noexcept {
  const int64_t rows = w.rows();
  const int64_t width = w.cols() / n_groups;
  alignas(64) float buffer[kBlock];
  if (back != nullptr) std::memset(back, 0, static_cast<size_t>(w.cols()) * sizeof(float));
  for (int64_t i = 0; i < rows; ++i) {
    float total = 0.0F;
    for (int64_t g = 0; g < n_groups; ++g) {
      alignas(64) float lanes[kLanes] = {};
      const int64_t begin = g * width;
      const int64_t end = begin + width;
      for (int64_t c = begin; c < end; c += kBlock) {
        const int64_t n = end - c < kBlock ? end - c : kBlock;
        dot_lanes(block_of(w, i, c, n, buffer), x + c, n, lanes);
      }
      const float term = sum_lanes(lanes);
      if (partial != nullptr) partial[g * rows + i] = term;
      total += term;
      if (back == nullptr) continue;
      for (int64_t c = begin; c < end; c += kBlock) {
        const int64_t n = end - c < kBlock ? end - c : kBlock;
        const float* row = block_of(w, i, c, n, buffer);
        for (int64_t k = 0; k < n; ++k) back[c + k] += term * row[k];
      }
    }
    y[i] = total;
  }
}

}  // namespace model::FULGURITE_ISA
