// A stored tensor: a name, a shape and a view of bytes that someone else owns.
//
// The letters of shapes, everywhere in this program:
//   T positions   L layers       C width of the residual stream   V vocabulary
//   H heads       K KV heads     D width of a head                F FFN neurons
//   B sequences of a training batch
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "model/dtype.h"

namespace model {

struct Tensor {
  std::string name;
  DType dtype = DType::kF32;
  // As in GGUF: ne[0] is the fastest. A matrix that maps C inputs to F outputs has
  // ne = {C, F}: F rows of C contiguous values. Unused dimensions are 1.
  std::array<int64_t, 4> ne = {1, 1, 1, 1};
  const std::byte* data = nullptr;

  int64_t cols() const noexcept { return ne[0]; }
  int64_t rows() const noexcept { return ne[1] * ne[2] * ne[3]; }
  int64_t elements() const noexcept { return cols() * rows(); }
  size_t row_bytes() const noexcept { return dtype_row_bytes(dtype, cols()); }
  size_t bytes() const noexcept { return row_bytes() * static_cast<size_t>(rows()); }
  const std::byte* row(int64_t i) const noexcept {
    return data + row_bytes() * static_cast<size_t>(i);
  }
};

// Empty when dequantize_row() and the kernels can read the tensor's type; else a sentence that
// names the tensor, its type, and how to convert it.
std::string unsupported_type(const Tensor& tensor);

// Writes row i as float32 into out[0 .. cols).
void dequantize_row(const Tensor& tensor, int64_t i, float* out) noexcept;

}  // namespace model
