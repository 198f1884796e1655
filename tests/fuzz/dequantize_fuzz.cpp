// libFuzzer target. The first byte chooses: the others are rows of a type that is read, at an odd
// address, or floats to be stored as a type that is written; what was stored is widened again, to
// finite numbers where the floats were such as weights are.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "model/dequantize.h"
#include "model/error.h"
#include "model/quantize.h"

namespace {

using model::DType;

constexpr int64_t kLongest = 512;  // values; a block has up to 256

// As many whole blocks as the bytes hold.
void widen(DType type, const uint8_t* data, size_t size) {
  const model::BlockSize block = model::dtype_block(static_cast<uint32_t>(type));
  const auto blocks = static_cast<int64_t>(size / block.bytes);
  const int64_t n = std::min(blocks * block.elements, kLongest);
  std::vector<std::byte> shifted(1 + model::dtype_row_bytes(type, n));
  if (n > 0) std::memcpy(shifted.data() + 1, data, shifted.size() - 1);
  std::vector<float> out(static_cast<size_t>(n));
  model::dequantize(type, shifted.data() + 1, n, out.data());
}

// The bytes as floats, repeated to a whole block.
void store_and_widen(DType type, const uint8_t* data, size_t size) {
  if (size < sizeof(float)) return;
  const int64_t n = model::dtype_block(static_cast<uint32_t>(type)).elements;
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) {
    std::memcpy(&x[i], data + sizeof(float) * (i % (size / sizeof(float))), sizeof(float));
  }
  std::vector<std::byte> bytes(model::dtype_row_bytes(type, n));
  model::quantize_row(type, x.data(), n, bytes.data());
  std::vector<float> y(x.size());
  model::dequantize(type, bytes.data(), n, y.data());
  const auto storable = [](float v) { return std::fabs(v) <= 65504.0F; };
  if (!std::all_of(x.begin(), x.end(), storable)) return;
  for (const float v : y) CHECK(std::isfinite(v));
}

struct Types {
  std::vector<DType> read;
  std::vector<DType> written;
};
const Types& types() {
  static const Types all = [] {
    Types found;
    for (uint32_t number = 0; number < 64; ++number) {
      if (!model::dtype_supported(number)) continue;
      found.read.push_back(static_cast<DType>(number));
      if (model::can_quantize(found.read.back())) found.written.push_back(found.read.back());
    }
    return found;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t choice = data[0] % (types().read.size() + types().written.size());
  if (choice < types().read.size()) {
    widen(types().read[choice], data + 1, size - 1);
  } else {
    store_and_widen(types().written[choice - types().read.size()], data + 1, size - 1);
  }
  return 0;
}
