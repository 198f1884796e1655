// GGUF, versions 2 and 3, little-endian
// (specification: github.com/ggml-org/ggml/blob/master/docs/gguf.md).
//
//   file   = "GGUF" | u32 version | u64 n_tensors | u64 n_kv | kv * n_kv | info * n_tensors
//            | padding to general.alignment (default 32) | tensor data
//   kv     = string key | u32 value type | value
//   info   = string name | u32 n_dims (1..4) | u64 ne * n_dims | u32 ggml type
//            | u64 offset (from the start of the data, a multiple of the alignment)
//   string = u64 length | bytes, no terminator
//   array  = u32 element type | u64 count | elements
//
// Every count, length and product is checked against the bytes that remain before
// anything is allocated. Errors are ExitCode::kBadModel and name the file, the key or
// tensor, and the mend.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/format/model_file.h"

namespace model {

// Maps the file read-only; it stays mapped as long as the ModelFile lives. Of a model that is
// split (NAME-00001-of-00003.gguf, keys split.no, split.count and split.tensors.count) the
// first part opens all; another one names the first.
// Throws Error: missing, a directory, unreadable, truncated, not GGUF, malformed.
// Memory taken is that of the bytes of the file and at most 32 MB more, whatever they say.
ModelFile open_gguf(const std::string& path);

// The same over bytes that outlive the result; name stands in for the path in errors.
// For tensor.data to be aligned as in a mapped file, bytes.data() should be aligned to 32.
ModelFile parse_gguf(std::span<const std::byte> bytes, std::string name);

// Collects metadata and tensors and writes one GGUF v3 file. write() holds the metadata and a
// few MB of one tensor at a time, however large the file becomes.
class GgufWriter {
 public:
  static constexpr size_t kMostNameBytes = 63;  // ggml keeps names in 64 bytes with a terminator

  // Stores rows [first, first + n) at `out`, as GGUF keeps them. write() asks for the rows in
  // order, each once; what is thrown ends it and leaves no file.
  using Rows = std::function<void(int64_t first, int64_t n, std::byte* out)>;

  // uint64_t is written as u32 when it fits (as llama.cpp writes its counts), int64_t as i32
  // when it fits, double as f32; arrays likewise, when all elements fit.
  // CHECKs that the key is new, 1..65535 bytes, and not general.alignment (always 32).
  void add(std::string key, MetaValue value);
  // A tensor of any type and up to four dimensions, ne[0] fastest. CHECKs that the name is new
  // and of 1..63 bytes, that ne is positive, and that ne[0] is a whole number of blocks.
  void add_tensor(std::string name, const std::array<int64_t, 4>& ne, DType type, Rows rows);
  // The bytes of the tensor as they lie; they must outlive write().
  void add_tensor(const Tensor& tensor);
  // Converts rows*cols float32 values to `type`, one that can_quantize(), at once; vectors
  // (rows = 1) stay f32 and 1-D, as llama.cpp wants its norms.
  void add_tensor(std::string name, int64_t rows, int64_t cols, DType type, const float* values);
  // Through an AtomicFile: whole or absent.
  // Returns the bytes written. Throws Error (failed) naming the path, and what the rows throw.
  uint64_t write(const std::string& path) const;

 private:
  struct Pending {
    std::string name;
    std::array<int64_t, 4> ne;
    DType type;
    Rows rows;

    int64_t n_rows() const noexcept { return ne[1] * ne[2] * ne[3]; }
    size_t row_bytes() const noexcept { return dtype_row_bytes(type, ne[0]); }
    size_t bytes() const noexcept { return row_bytes() * static_cast<size_t>(n_rows()); }
  };
  std::vector<std::pair<std::string, MetaValue>> metadata_;
  std::vector<Pending> tensors_;
  std::unordered_set<std::string> keys_, names_;  // of both
};

}  // namespace model
