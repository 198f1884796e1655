// float32 -> stored blocks. F16, BF16, Q8_0, Q5_0 and Q4_0 are ggml's reference formulas to the
// byte. Q4_K and Q6_K search, block by block, for the scales of the least weighted squared error:
// no importance matrix is known here, so large weights stand for important ones.
//
// The bytes are the same on every machine and with any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/dtype.h"
#include "model/kernels/thread_pool.h"
#include "model/tensor.h"

namespace model {

// True for the types that quantize_row() writes: F32 F16 BF16 Q8_0 Q5_0 Q4_0 Q6_K Q4_K.
bool can_quantize(DType type) noexcept;

// Stores x[0 .. n), n a multiple of the type's block, in dtype_row_bytes(type, n) bytes. Every
// pattern of bits is stored as something; only values up to 65504 are stored well, for the
// scales are binary16. CHECKs the type.
void quantize_row(DType type, const float* x, int64_t n, std::byte* out) noexcept;

// Rows [first, first + n) of a tensor of a type that dtype_supported() names, as `type`, shared
// among the pool's threads. Rows that are of this type already are copied as they are.
// Throws Error (bad_model) naming the tensor when a value is NaN, infinite, or beyond 65504 where
// the type cannot hold that.
void convert_rows(const Tensor& tensor, int64_t first, int64_t n, DType type, std::byte* out,
                  ThreadPool& pool);

}  // namespace model
