#include "model/tensor.h"

#include <cstring>

#include "model/error.h"

namespace model {

void dequantize_row(const Tensor& tensor, int64_t i, float* out) noexcept {
  CHECK(i >= 0 && i < tensor.rows());
  const std::byte* row = tensor.row(i);
  switch (tensor.dtype) {
    case DType::kF32:
      std::memcpy(out, row, tensor.row_bytes());
      return;
    case DType::kF16:
      for (int64_t c = 0; c < tensor.cols(); ++c) {
        uint16_t half = 0;
        std::memcpy(&half, row + 2 * c, 2);
        out[c] = f32_from_f16(half);
      }
      return;
  }
  CHECK(false && "a tensor type that require_runnable() refuses");
}

}  // namespace model
