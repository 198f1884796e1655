#include <algorithm>

#include "model/error.h"
#include "model/kernels/matmul_rows.h"

namespace model {
bool rounds_input(DType type) noexcept {
  return type != DType::kF32 && type != DType::kF16 && type != DType::kBF16;
}

void Input::set(const float* x, int64_t n, int64_t cols, int64_t ld, bool quantise,
                ThreadPool& pool, bool tiles) {
  CHECK(n >= 0 && cols > 0 && ld >= cols);
  x_ = x;
  n_ = n;
  cols_ = cols;
  ld_ = ld;
  blocks_ = groups_of(cols) * kBlocksInGroup;
  tiles_ = 0;
  if (!quantise) return;
  const auto floats = static_cast<size_t>(n * blocks_);
  q_.resize(floats * kBlockWidth);
  d_.resize(floats);
  sums_.resize(floats * 2);
  if (tiles && active_isa() == Isa::kAmx && n >= kTilePositions / 2) {
    tiles_ = (n + kTilePositions - 1) / kTilePositions;
    const auto places = static_cast<size_t>(tiles_ * kTilePositions * blocks_);
    tile_q_.resize(places * kBlockWidth);
    tile_d_.resize(places);
    tile_sums_.resize(places * 2);
  }
  // Whole tiles to a thread, so that each makes its tiles of what it has rounded.
  const int64_t parts = (n + kTilePositions - 1) / kTilePositions;
  const auto work = [&](int64_t first, int64_t last) {
    round(first * kTilePositions, std::min(last * kTilePositions, n_));
    make_tiles(std::min(first, tiles_), std::min(last, tiles_));
  };
  if (n * cols < 1 << 16) return work(0, parts);
  pool.run([&](int thread) {
    const auto [first, last] = ThreadPool::share(parts, thread, pool.size());
    work(first, last);
  });
}

void Input::round(int64_t first, int64_t last) noexcept {
  static const auto kernel = FULGURITE_PICK(round_row);
  for (int64_t i = first; i < last; ++i) {
    kernel(row(i), cols_, blocks_, q_.data() + i * blocks_ * kBlockWidth, d_.data() + i * blocks_,
           sums_.data() + i * blocks_ * 2);
  }
}

void Input::make_tiles([[maybe_unused]] int64_t first, [[maybe_unused]] int64_t last) noexcept {
#if defined(__x86_64__)
  for (int64_t t = first; t < last; ++t) {
    const int64_t at = t * blocks_ * kTilePositions;
    isa_avx512::tile_input(*this, t, tile_q_.data() + at * kBlockWidth, tile_d_.data() + at,
                           tile_sums_.data() + 2 * at);
  }
#endif
}

void Input::rounded(int64_t i, float* out) const noexcept {
  static const auto kernel = FULGURITE_PICK(rounded_row);
  kernel(q(i), d(i), cols_, out);
}

void Input::rounded_part(const float* x, int64_t n, float* out) noexcept {
  CHECK(n <= kWidestPart);
  constexpr int64_t kBlocks = kWidestPart / kBlockWidth;
  alignas(64) int8_t q[kWidestPart];
  alignas(64) float d[kBlocks];
  alignas(64) int32_t sums[2 * kBlocks];
  static const auto round = FULGURITE_PICK(round_row);
  static const auto spell = FULGURITE_PICK(rounded_row);
  round(x, n, groups_of(n) * kBlocksInGroup, q, d, sums);
  spell(q, d, n, out);
}

}  // namespace model
