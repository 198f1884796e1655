#include "model/kernels/matmul_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "model/kernels/plain_block.h"

namespace model {
namespace {

float weight_at(DType type, const std::byte* row, int64_t c) noexcept {
  if (rounds_input(type)) {
    const PlainBlock block = plain_block(type, row, c / kBlockWidth);
    const auto k = static_cast<int>(c % kBlockWidth);
    const float value =
        (block.d * static_cast<float>(block.scale[k / 16])) * static_cast<float>(block.w[k]);
    return value - block.m * static_cast<float>(block.min[k / 16]);
  }
  uint32_t bits = 0;
  std::memcpy(&bits, row + c * (type == DType::kF32 ? 4 : 2), type == DType::kF32 ? 4 : 2);
  if (type == DType::kF16) return f32_from_f16(static_cast<uint16_t>(bits));
  return std::bit_cast<float>(type == DType::kF32 ? bits : bits << 16U);
}

void spell_out(DType type, const std::byte* row, int64_t cols, float* out) noexcept {
  if (!rounds_input(type)) {
    for (int64_t c = 0; c < cols; ++c) out[c] = weight_at(type, row, c);
    return;
  }
  for (int64_t b = 0; b * kBlockWidth < cols; ++b) {
    const PlainBlock block = plain_block(type, row, b);
    for (int k = 0; k < kBlockWidth; ++k) {
      const float value =
          (block.d * static_cast<float>(block.scale[k / 16])) * static_cast<float>(block.w[k]);
      out[b * kBlockWidth + k] = value - block.m * static_cast<float>(block.min[k / 16]);
    }
  }
}

// The terms t of the blocks of one row.
void row_terms(DType type, const float* row, const std::byte* stored, const Input& x, int64_t i,
               float* t) noexcept {
  for (int64_t b = 0; b * kBlockWidth < x.cols(); ++b) {
    const int64_t begin = b * kBlockWidth;
    if (rounds_input(type)) {
      const PlainBlock w = plain_block(type, stored, b);
      int32_t sum[2] = {};
      for (int k = 0; k < kBlockWidth; ++k) sum[k / 16] += w.w[k] * x.q(i)[begin + k];
      const int32_t* q = x.sums(i) + 2 * b;
      const int32_t scaled = w.scale[0] * sum[0] + w.scale[1] * sum[1];
      const int32_t lowered = w.min[0] * q[0] + w.min[1] * q[1];
      t[b] = (w.d * x.d(i)[b]) * static_cast<float>(scaled);
      if (has_min(type)) t[b] -= (w.m * x.d(i)[b]) * static_cast<float>(lowered);
      continue;
    }
    float p[kBlockWidth] = {};
    const int64_t n = std::min(kBlockWidth, x.cols() - begin);
    for (int64_t k = 0; k < n; ++k) p[k] = row[begin + k] * x.row(i)[begin + k];
    for (int64_t half = kBlockWidth / 2; half > 0; half /= 2) {
      for (int64_t k = 0; k < half; ++k) p[k] += p[k + half];
    }
    t[b] = p[0];
  }
}

float sum_of_terms(const float* t, int64_t n) noexcept {
  float lanes[8] = {};
  for (int64_t b = 0; b < n; ++b) lanes[b % 8] += t[b];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

}  // namespace

bool groups_are_blocks(const Gather& gather) noexcept {
  return gather.group_width % kBlockWidth == 0;
}

int64_t scratch_floats(int64_t cols) noexcept {
  return cols + cols / kBlockWidth + 1;
}

void gather_rows(const Linear& w, const Input& x, int64_t i, int64_t first, int64_t last, float* y,
                 const Gather* gather, const float* x_rounded, const GatherSums& sums,
                 float* scratch) noexcept {
  const DType type = w.weight.dtype;
  const int64_t cols = x.cols();
  const int64_t blocks = (cols + kBlockWidth - 1) / kBlockWidth;
  float* row = scratch;
  float* t = scratch + cols;
  for (int64_t r = first; r < last; ++r) {
    const std::byte* stored = w.weight.row(r);
    if (gather != nullptr || !rounds_input(type)) spell_out(type, stored, cols, row);
    row_terms(type, row, stored, x, i, t);
    y[r] = sum_of_terms(t, blocks);
    if (w.bias.data != nullptr) {
      float bias = 0.0F;
      std::memcpy(&bias, w.bias.data + 4 * r, 4);
      y[r] += bias;
    }
    if (gather == nullptr) continue;
    const float gain = gather->row_gain != nullptr ? gather->row_gain[r] : 1.0F;
    const float u = gain * y[r];
    if (sums.blocks != nullptr) {
      for (int64_t b = 0; b < blocks; ++b) sums.blocks[b] += t[b] * u;
    }
    for (int64_t n = 0; sums.chosen != nullptr && n < gather->n_chosen; ++n) {
      sums.chosen[n] += row[gather->chosen[n]] * u;
    }
    if (gather->group_width > 0 &&
        (gather->group_back || gather->group_out != nullptr || sums.groups != nullptr)) {
      for (int64_t begin = 0, g = 0; begin < cols; begin += gather->group_width, ++g) {
        const int64_t end = std::min(begin + gather->group_width, cols);
        float term = 0.0F;
        if (groups_are_blocks(*gather)) {
          for (int64_t b = begin / kBlockWidth; b * kBlockWidth < end; ++b) term += t[b];
        } else {
          for (int64_t c = begin; c < end; ++c) term += row[c] * x_rounded[c];
        }
        if (gather->group_out != nullptr) gather->group_out[g * w.weight.rows() + r] = term;
        if (sums.groups != nullptr) sums.groups[g] += term * u;
        if (sums.back == nullptr || !gather->group_back) continue;
        for (int64_t c = begin; c < end; ++c) sums.back[c] += row[c] * (gain * term);
      }
    }
    if (sums.back != nullptr && !gather->group_back) {
      for (int64_t c = 0; c < cols; ++c) sums.back[c] += row[c] * u;
    }
  }
}

void back_rows(const Tensor& w, int64_t first, int64_t last, const float* u, float* back,
               float* scratch) noexcept {
  for (int64_t r = first; r < last; ++r) {
    spell_out(w.dtype, w.row(r), w.cols(), scratch);
    for (int64_t c = 0; c < w.cols(); ++c) back[c] += scratch[c] * u[r];
  }
}

}  // namespace model
