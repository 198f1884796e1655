// One file of safetensors (specification: github.com/huggingface/safetensors, README):
//
//   file   = u64 length of the header, little-endian | header, JSON | tensor data
//   header = {"name": {"dtype": "F32", "shape": [rows, cols], "data_offsets": [begin, end]},
//             ..., "__metadata__": {"key": "text"}}
//
// The data is covered by the tensors exactly: no byte twice, none left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace model {

struct StoredTensor {
  std::string name;
  std::string_view dtype;      // "F32", "BF16", ...: one that the format defines
  std::vector<int64_t> shape;  // slowest first; a size may be 0, a scalar has none
  std::span<const std::byte> data;
};

// Of all files of a model together; the largest that can be run has some 37,000.
inline constexpr size_t kMaxStoredTensors = 65536;

// In the order of the data; data points into `bytes`. Throws Error (bad_model), with `name` as
// the file's, for whatever breaks the format.
std::vector<StoredTensor> parse_safetensors(std::span<const std::byte> bytes,
                                            const std::string& name);

}  // namespace model
