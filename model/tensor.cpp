#include "model/tensor.h"

#include "model/dequantize.h"
#include "model/error.h"

namespace model {

void dequantize_row(const Tensor& tensor, int64_t i, float* out) noexcept {
  CHECK(i >= 0 && i < tensor.rows());
  dequantize(tensor.dtype, tensor.row(i), tensor.cols(), out);
}

}  // namespace model
