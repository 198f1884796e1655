// Compiled once per instruction set (see model/kernels/dispatch.h): the cache and what reads it.
#include <algorithm>
#include <bit>
#include <cstring>

#include "model/block_formats.h"
#include "model/kernels/ops_isa.h"
#include "model/kernels/simd.h"
#include "model/kernels/simd_math.h"

namespace model::FULGURITE_ISA {
namespace {

// Reads of n <= 16 values from element c of a stored vector; c is a multiple of 16.
struct ReadF32 {
  static FULGURITE_INLINE F32x16 read(const char* at, int64_t c) noexcept {
    return load<F32x16>(at + 4 * c);
  }
  static float one(const char* at, int64_t c) noexcept { return load<float>(at + 4 * c); }
};

struct ReadF16 {
  static FULGURITE_INLINE F32x16 read(const char* at, int64_t c) noexcept {
    return widen_f16(reinterpret_cast<const uint16_t*>(at) + c);
  }
  static float one(const char* at, int64_t c) noexcept {
    return f32_from_f16(load<uint16_t>(at + 2 * c));
  }
};

struct ReadQ8 {
  static FULGURITE_INLINE F32x16 read(const char* at, int64_t c) noexcept {
    const char* block = at + c / 32 * static_cast<int64_t>(sizeof(BlockQ8_0));
    const auto* q = reinterpret_cast<const int8_t*>(block + offsetof(BlockQ8_0, qs));
    return widen_i8(q + c % 32) * widen_one_f16(load<uint16_t>(block));
  }
  static float one(const char* at, int64_t c) noexcept { return read(at, c / 16 * 16)[c % 16]; }
};

template <class Call>
auto with_reader(CacheType type, const Call& call) noexcept {
  if (type == CacheType::kF32) return call(ReadF32{});
  if (type == CacheType::kF16) return call(ReadF16{});
  return call(ReadQ8{});
}

// Into the second cache: so memory is busy while sums are made of what has come.
FULGURITE_INLINE void fetch(const char* at, int64_t bytes) noexcept {
  for (int64_t k = 0; k < bytes; k += 64) __builtin_prefetch(at + k, 0, 1);
}

template <class Reader>
FULGURITE_INLINE float dot_stored(const char* at, const float* x, int64_t d) noexcept {
  F32x16 sum = {};
  int64_t c = 0;
  for (; c + 16 <= d; c += 16) sum += Reader::read(at, c) * load<F32x16>(x + c);
  float rest = 0.0F;
  for (; c < d; ++c) rest += Reader::one(at, c) * x[c];
  return sum_lanes(sum) + rest;
}

// Eight positions at once, each added up like dot_stored().
template <class Reader>
FULGURITE_INLINE F32x8 eight_dots(const char* at, int64_t stride, const float* x,
                                  int64_t d) noexcept {
  F32x16 sums[8] = {};
  int64_t c = 0;
  for (; c + 16 <= d; c += 16) {
    const auto part = load<F32x16>(x + c);
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) sums[k] += Reader::read(at + k * stride, c) * part;
  }
  F32x8 halves[8];
  F32x8 rest = {};
#pragma GCC unroll 8
  for (int k = 0; k < 8; ++k) halves[k] = low_half(sums[k]) + high_half(sums[k]);
  for (; c < d; ++c) {
    for (int k = 0; k < 8; ++k) rest[k] += Reader::one(at + k * stride, c) * x[c];
  }
  return trees_of(halves) + rest;
}

// The first position behind j that does not lie behind it in memory, at most `end`.
int64_t end_of_run(int64_t j, int64_t end) noexcept {
  return std::min(end, (j / kCacheBlock + 1) * kCacheBlock);
}

template <class Reader>
void score(const AttentionHead& head, float* scores) noexcept {
  const int64_t stride = head.lane.stride;
  for (int64_t j = head.first; j < head.end;) {
    const int64_t last = end_of_run(j, head.end);
    const int64_t offset = head.lane.offset(j);
    const char* at = head.lane.k + offset;
    const char* v = head.lane.v + offset;
    for (; j + 8 <= last; j += 8, at += 8 * stride, v += 8 * stride) {
      if (head.fetch_v) fetch(v, 8 * stride);
      store(scores + j, eight_dots<Reader>(at, stride, head.q, head.d) * head.scale);
    }
    for (; j < last; ++j, at += stride) {
      scores[j] = dot_stored<Reader>(at, head.q, head.d) * head.scale;
    }
  }
}

// kWide vectors of z at once, so that their sums stay in registers over all positions.
template <class Reader, int kWide>
void weigh(const AttentionHead& head, const float* weights, int64_t c, float* z) noexcept {
  F32x16 sums[kWide] = {};
  const int64_t stride = head.lane.stride;
  const bool fetches = c == 0 && head.next_k != nullptr;
  for (int64_t j = head.first; j < head.end;) {
    const int64_t last = end_of_run(j, head.end);
    const int64_t offset = head.lane.offset(j);
    const char* at = head.lane.v + offset;
    const char* next = fetches ? head.next_k + offset : nullptr;
    for (; j < last; ++j, at += stride) {
      if (fetches) {
        fetch(next, stride);
        next += stride;
      }
      for (int k = 0; k < kWide; ++k) sums[k] += Reader::read(at, c + 16 * k) * weights[j];
    }
  }
  for (int k = 0; k < kWide; ++k) store(z + c + 16 * k, sums[k]);
}

template <class Reader>
void weigh_all(const AttentionHead& head, const float* weights, float* z) noexcept {
  int64_t c = 0;
  for (; c + 64 <= head.value_width; c += 64) weigh<Reader, 4>(head, weights, c, z);
  for (; c + 16 <= head.value_width; c += 16) weigh<Reader, 1>(head, weights, c, z);
  for (; c < head.value_width; ++c) {
    float sum = 0.0F;
    for (int64_t j = head.first; j < head.end; ++j) {
      sum += Reader::one(head.lane.v + head.lane.offset(j), c) * weights[j];
    }
    z[c] = sum;
  }
}

void store_q8(const float* x, int64_t d, char* out) noexcept {
  for (int64_t c = 0; c < d; c += 32, out += sizeof(BlockQ8_0)) {
    // As integers, magnitudes are in order too, and NaN is above infinity.
    uint32_t top = 0;
    for (int k = 0; k < 32; ++k)
      top = std::max(top, std::bit_cast<uint32_t>(x[c + k]) & 0x7FFFFFFFU);
    BlockQ8_0 block = {};
    if (top >= 0x7F800000U) {  // it shows, as in the other caches
      block.d = 0x7E00;        // NaN
      std::memcpy(out, &block, sizeof(block));
      continue;
    }
    block.d = f16_from_f32(std::bit_cast<float>(top) / 127.0F);
    const float scale = f32_from_f16(block.d);
    const float inverse = scale > 0.0F ? 1.0F / scale : 0.0F;
    for (int k = 0; k < 32; ++k) {
      const float wide = std::min(std::max(x[c + k] * inverse, -127.0F), 127.0F);
      block.qs[k] = static_cast<int8_t>((wide + kRoundToInteger) - kRoundToInteger);
    }
    std::memcpy(out, &block, sizeof(block));
  }
}

}  // namespace

void cache_store(CacheType type, const float* x, int64_t d, void* out) noexcept {
  auto* bytes = static_cast<char*>(out);
  if (type == CacheType::kF32) {
    std::memcpy(bytes, x, static_cast<size_t>(4 * d));
  } else if (type == CacheType::kF16) {
    narrow_f16(x, d, bytes);
  } else {
    store_q8(x, d, bytes);
  }
}

void cache_load(CacheType type, const void* in, int64_t d, float* out) noexcept {
  const auto* at = static_cast<const char*>(in);
  with_reader(type, [&](auto reader) {
    int64_t c = 0;
    for (; c + 16 <= d; c += 16) store(out + c, reader.read(at, c));
    for (; c < d; ++c) out[c] = reader.one(at, c);
  });
}

float attend(const AttentionHead& head, float* scores, float* weights, float* z) noexcept {
  std::fill_n(scores, head.first, 0.0F);
  std::fill_n(weights, head.first, 0.0F);
  const int64_t n = head.end - head.first;
  with_reader(head.lane.type, [&](auto reader) { score<decltype(reader)>(head, scores); });
  if (head.soft_cap > 0.0F) soft_cap(scores + head.first, n, head.soft_cap);
  const float taken = softmax_beside(scores + head.first, n, head.sink, weights + head.first);
  with_reader(head.lane.type, [&](auto reader) { weigh_all<decltype(reader)>(head, weights, z); });
  return taken;
}

void attend_back(const CacheLane& lane, const float* back, int64_t d, const int32_t* positions,
                 int64_t n, float* out) noexcept {
  static_assert(kCacheBlock % 8 == 0);
  with_reader(lane.type, [&](auto reader) {
    using Reader = decltype(reader);
    int64_t i = 0;
    for (; positions == nullptr && i + 8 <= n; i += 8) {
      store(out + i, eight_dots<Reader>(lane.v + lane.offset(i), lane.stride, back, d));
    }
    for (; i < n; ++i) {
      const int64_t j = positions != nullptr ? positions[i] : i;
      out[i] = dot_stored<Reader>(lane.v + lane.offset(j), back, d);
    }
  });
}

}  // namespace model::FULGURITE_ISA
