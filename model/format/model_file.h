// A model as its file or folder describes it: metadata and tensors under GGUF's names,
// whatever the format they were read from. What a parser fills, everyone else only reads.
//
// Typed access throws Error (bad_model) naming the file, the key or tensor, and the mend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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
using MetaValue = std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<uint64_t>,
                               std::vector<int64_t>, std::vector<double>, std::vector<bool>,
                               std::vector<std::string>>;

class ModelFile {
 public:
  // name: the path, as errors show it. format: "GGUF v3", "safetensors". bytes: on disk.
  ModelFile(std::string name, std::string format, uint64_t bytes)
      : name_(std::move(name)), format_(std::move(format)), bytes_(bytes) {}

  // For parsers. false: the key or the tensor's name is there already.
  bool add(std::string key, MetaValue value);
  bool add(Tensor tensor);
  // The value under a key, to be mended; nullptr when it is missing.
  MetaValue* find_to_mend(std::string_view key) noexcept;
  void leave_out_tensors(const std::function<bool(const Tensor&)>& is_one);
  // Under the name that new_name() gives; what would then be there twice keeps its own.
  using NewName = std::function<std::string(const std::string&)>;
  void rename_keys(const NewName& new_name);
  void rename_tensors(const NewName& new_name);
  // Another file of the same model.
  void add_bytes(uint64_t n) noexcept { bytes_ += n; }
  // Keeps the memory alive that tensor.data points into.
  void keep(std::shared_ptr<const void> storage) { storage_.push_back(std::move(storage)); }
  void keep(const ModelFile& part) {
    storage_.insert(storage_.end(), part.storage_.begin(), part.storage_.end());
  }

  // The first byte of all tensors, those that were left out among them.
  const std::byte* data_begin() const noexcept { return data_begin_; }
  // Whether all tensors lie in one file, none of them made.
  bool in_one_piece() const noexcept { return storage_.size() <= 1; }

  const std::string& name() const noexcept { return name_; }
  const std::string& format() const noexcept { return format_; }
  uint64_t file_bytes() const noexcept { return bytes_; }

  // Metadata in file order.
  const std::vector<std::pair<std::string, MetaValue>>& metadata() const noexcept {
    return metadata_;
  }
  const MetaValue* find(std::string_view key) const noexcept;

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

  // The tensor `name` with exactly ne = {cols, rows, slices}; throws Error when it is missing
  // or has another shape.
  const Tensor& require_tensor(const std::string& name, int64_t rows, int64_t cols,
                               int64_t slices = 1) const;

  [[noreturn]] void fail(std::string what, std::string hint = {}) const;

 private:
  const MetaValue& require(std::string_view key) const;

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  using Index = std::unordered_map<std::string, size_t, NameHash, std::equal_to<>>;

  std::string name_;
  std::string format_;
  uint64_t bytes_ = 0;
  std::vector<std::pair<std::string, MetaValue>> metadata_;
  Index metadata_index_;
  std::vector<Tensor> tensors_;
  Index tensor_index_;
  const std::byte* data_begin_ = nullptr;
  std::vector<std::shared_ptr<const void>> storage_;
};

// What a file is instead of a model, as its `general.type` says: "an adapter (LoRA)"; empty: a
// model.
std::string other_than_model(const ModelFile& file);

// Shape of the model in the file; every value range-checked and consistent with the
// others (heads divide, rope_dim even ...). Throws Error (bad_model); an unknown
// general.architecture names itself and the known ones.
Config read_config(const ModelFile& file);

// What stops the model in the file from being run, one sentence each without the file's
// name: its configuration, its tokenizer, a tensor that is missing, misshapen, of a type that
// the kernels cannot read, or of no use to the architecture (ignoring it would change the
// numbers). Empty: it runs.
std::vector<std::string> find_problems(const ModelFile& file);

// Throws the first problem as an Error, with the number of further ones.
void require_runnable(const ModelFile& file);

}  // namespace model
