// The searches behind quantize_row() for the formats of two levels of scales.
#pragma once

#include "model/block_formats.h"

namespace model {

// x[0 .. 256) -> one block. Any x is stored as something.
void encode(const float* x, BlockQ4K& block) noexcept;
void encode(const float* x, BlockQ6K& block) noexcept;

}  // namespace model
