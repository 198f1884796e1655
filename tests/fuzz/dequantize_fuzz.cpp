// libFuzzer target: the first byte chooses a type that is read, the others are its blocks, at an
// odd address.
#include "model/dequantize.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace {

using model::DType;

constexpr std::array kTypes = {DType::kF32,  DType::kF16,   DType::kBF16,  DType::kQ4_0,
                               DType::kQ4_1, DType::kQ5_0,  DType::kQ5_1,  DType::kQ8_0,
                               DType::kQ2K,  DType::kQ3K,   DType::kQ4K,   DType::kQ5K,
                               DType::kQ6K,  DType::kIq4Nl, DType::kIq4Xs, DType::kMxfp4};
constexpr int64_t kLongest = 256;  // values: a block of the largest format

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const DType type = kTypes[data[0] % kTypes.size()];
  const model::BlockSize block = model::dtype_block(type);
  const auto blocks = static_cast<int64_t>((size - 1) / block.bytes);
  const int64_t n = std::min(blocks * block.elements, kLongest);
  // Arrays of just the sizes that are allowed, so that a byte too far is noticed.
  const size_t bytes = model::dtype_row_bytes(type, n);
  auto* const shifted = new std::byte[1 + bytes];
  auto* const out = new float[static_cast<size_t>(n)];
  if (bytes > 0) std::memcpy(shifted + 1, data + 1, bytes);
  model::dequantize(type, shifted + 1, n, out);
  delete[] out;
  delete[] shifted;
  return 0;
}
