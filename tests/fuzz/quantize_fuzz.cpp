// libFuzzer target: the first byte chooses a type that is written, the others are floats, repeated
// to a whole block. What was stored is widened again, to finite numbers where the floats were such
// as weights are.
#include "model/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "model/dequantize.h"
#include "model/error.h"

namespace {

using model::DType;

constexpr std::array kTypes = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                               DType::kQ5_0, DType::kQ4_0, DType::kQ6K,  DType::kQ4K};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 + sizeof(float)) return 0;
  const DType type = kTypes[data[0] % kTypes.size()];
  const int64_t n = model::dtype_block(type).elements;
  const size_t given = (size - 1) / sizeof(float);
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) {
    std::memcpy(&x[i], data + 1 + sizeof(float) * (i % given), sizeof(float));
  }
  std::vector<std::byte> bytes(model::dtype_row_bytes(type, n));
  model::quantize_row(type, x.data(), n, bytes.data());
  std::vector<float> y(x.size());
  model::dequantize(type, bytes.data(), n, y.data());
  const auto storable = [](float v) { return std::fabs(v) <= 65504.0F; };
  if (!std::all_of(x.begin(), x.end(), storable)) return 0;
  for (const float v : y) CHECK(std::isfinite(v));
  return 0;
}
