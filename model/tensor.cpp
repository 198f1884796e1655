#include "model/tensor.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "model/dequantize.h"
#include "model/error.h"
#include "model/utf8.h"

namespace model {
namespace {

// Plain numbers, and the two block formats of activations: llama.cpp does not widen them either.
bool convertible(DType type) {
  static constexpr std::array<std::string_view, 7> kFixed = {"Q8_1", "Q8_K", "I8", "I16",
                                                             "I32",  "I64",  "F64"};
  return std::find(kFixed.begin(), kFixed.end(), dtype_name(type)) == kFixed.end();
}

}  // namespace

std::string unsupported_type(const Tensor& tensor) {
  if (dtype_supported(tensor.dtype)) return {};
  return "tensor " + quoted(tensor.name) + " is of type " + dtype_name(tensor.dtype) +
         ", which is not read here; " +
         (convertible(tensor.dtype) ? "llama.cpp converts it: "
                                      "llama-quantize --allow-requantize IN OUT Q4_K_M"
                                    : "make the file anew from the original model, as F16 or Q8_0");
}

void dequantize_row(const Tensor& tensor, int64_t i, float* out) noexcept {
  CHECK(i >= 0 && i < tensor.rows());
  dequantize(tensor.dtype, tensor.row(i), tensor.cols(), out);
}

}  // namespace model
