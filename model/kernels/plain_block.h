// One block of 32 stored weights, spelled out: how every block format is to be read, for the
// reference product and for the odd element.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/dtype.h"

namespace model {

// Value i is d * scale[i / 16] * w[i] - m * min[i / 16].
struct PlainBlock {
  int32_t w[32];
  int32_t scale[2] = {1, 1};
  int32_t min[2] = {0, 0};
  float d = 0.0F;
  float m = 0.0F;
};

// Block b (values 32 b .. 32 b + 31) of a row. For the types with rounds_input().
PlainBlock plain_block(DType type, const std::byte* row, int64_t b) noexcept;

// True for the formats whose values have a minimum of their own besides the scale.
bool has_min(DType type) noexcept;

}  // namespace model
