// Stored blocks -> float32, for every type that dtype_supported() names: the scalar reference of
// the kernels. The bits are those of ggml's reference (to_float), so every product and sum is
// rounded once, in ggml's order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/dtype.h"

namespace model {

// Widens n values (a multiple of the type's block) that begin at `blocks`, of any alignment,
// into out[0 .. n). Every pattern of bits is a value; some are infinite or NaN. CHECKs the type.
void dequantize(DType type, const std::byte* blocks, int64_t n, float* out) noexcept;

}  // namespace model
