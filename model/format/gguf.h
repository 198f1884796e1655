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

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "model/config.h"
#include "model/tensor.h"

namespace model {

// Integers are widened; arrays of numbers become vectors of the widened type.
using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<uint64_t>,
                               std::vector<int64_t>, std::vector<double>, std::vector<bool>,
                               std::vector<std::string>>;

class GgufFile {
 public:
  // Maps the file read-only; it stays mapped as long as the object lives.
  // Throws Error: missing, a directory, unreadable, truncated, not GGUF, malformed.
  // Memory taken is in proportion to the bytes of the file, whatever they say.
  static GgufFile open(const std::string& path);

  // The same over bytes that outlive the object; name stands in for the path in errors.
  // For tensor.data to be aligned as in a mapped file, bytes.data() should be aligned to 32.
  static GgufFile from_memory(std::span<const std::byte> bytes, std::string name);

  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile();

  const std::string& name() const noexcept { return name_; }
  uint32_t version() const noexcept { return version_; }
  uint64_t file_bytes() const noexcept { return bytes_.size(); }

  // Metadata in file order.
  const std::vector<std::pair<std::string, GgufValue>>& metadata() const noexcept {
    return metadata_;
  }
  const GgufValue* find(std::string_view key) const noexcept;

  // A number or string under a key. Without a fallback a missing key throws; a value of
  // the wrong type or out of range always throws, naming the key.
  int64_t get_int(std::string_view key, int64_t lo, int64_t hi) const;
  int64_t get_int(std::string_view key, int64_t lo, int64_t hi, int64_t fallback) const;
  double get_float(std::string_view key, double fallback) const;
  bool get_bool(std::string_view key, bool fallback) const;
  std::string get_string(std::string_view key) const;
  std::string get_string(std::string_view key, std::string fallback) const;
  // nullptr when the key is missing; throws when it is not an array of strings.
  const std::vector<std::string>* get_strings(std::string_view key) const;

  // Tensors in file order, every one inside the file and of a type that GGUF defines, but
  // perhaps not one that our kernels read: require_runnable() tells.
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  const Tensor* find_tensor(std::string_view name) const noexcept;

  // The tensor `name` with exactly ne = {cols, rows}; throws Error when it is missing
  // or has another shape.
  const Tensor& require_tensor(const std::string& name, int64_t rows, int64_t cols) const;

 private:
  GgufFile();
  void parse();
  const GgufValue& require(std::string_view key) const;
  [[noreturn]] void fail(std::string what, std::string hint = {}) const;

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  using Index = std::unordered_map<std::string, size_t, NameHash, std::equal_to<>>;

  struct Mapping;
  std::unique_ptr<Mapping> mapping_;
  std::span<const std::byte> bytes_;
  std::string name_;
  uint32_t version_ = 0;
  std::vector<std::pair<std::string, GgufValue>> metadata_;
  Index metadata_index_;
  std::vector<Tensor> tensors_;
  Index tensor_index_;
};

// Shape of the model in the file; every value range-checked and consistent with the
// others (heads divide, rope_dim even ...). Throws Error (bad_model); an unknown
// general.architecture names itself and the known ones.
Config read_config(const GgufFile& file);

// What stops the model in the file from being run, one sentence each without the file's
// name: its configuration, its tokenizer, a tensor that is missing, misshapen, of a type that
// the kernels cannot read, or of no use to the architecture (ignoring it would change the
// numbers). Empty: it runs.
std::vector<std::string> find_problems(const GgufFile& file);

// Throws the first problem as an Error, with the number of further ones.
void require_runnable(const GgufFile& file);

// Collects metadata and tensors and writes one GGUF v3 file.
class GgufWriter {
 public:
  // uint64_t is written as u32 when it fits (as llama.cpp writes its counts), int64_t as i32
  // when it fits, double as f32; arrays likewise, when all elements fit.
  // CHECKs that the key is new, 1..65535 bytes, and not general.alignment (always 32).
  void add(std::string key, GgufValue value);
  // Converts rows*cols float32 values to `type`; vectors (rows = 1) stay f32 and 1-D,
  // as llama.cpp wants its norms. CHECKs that the name is new and of 1..63 bytes.
  void add_tensor(std::string name, int64_t rows, int64_t cols, DType type, const float* values);
  // Writes to path + ".part" and renames, so that a file is whole or absent.
  // Throws Error (failed) naming the path.
  void write(const std::string& path) const;

 private:
  struct Pending {
    std::string name;
    std::vector<int64_t> ne;
    DType type;
    std::vector<std::byte> data;
  };
  std::vector<std::pair<std::string, GgufValue>> metadata_;
  std::vector<Pending> tensors_;
};

}  // namespace model
