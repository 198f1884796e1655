#include "render/video/frame_hash.h"

#include <cstddef>

namespace render {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which every bit reaches
// every bit.
uint64_t mix(uint64_t x) noexcept {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

uint64_t word(const uint8_t* bytes, size_t count) noexcept {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= uint64_t{bytes[i]} << (8 * i);
  return value;
}

}  // namespace

uint64_t frame_hash(std::span<const uint8_t> bytes) noexcept {
  uint64_t state = mix(bytes.size() + 0x9e3779b97f4a7c15u);
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8)
    state = mix(state ^ word(bytes.data() + i, 8)) + 0x9e3779b97f4a7c15u;
  if (i < bytes.size())
    state = mix(state ^ word(bytes.data() + i, bytes.size() - i)) + bytes.size();
  return mix(state);
}

}  // namespace render
