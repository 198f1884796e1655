#include "model/format/model_file.h"

#include <array>
#include <functional>
#include <limits>

#include "model/error.h"
#include "model/utf8.h"

namespace model {

namespace {

constexpr const char* kConvert = "convert the model again";

template <class List, class Index, class NameOf>
void rename(List& list, Index& index, const ModelFile::NewName& new_name, const NameOf& name_of) {
  for (size_t i = 0; i < list.size(); ++i) {
    std::string& old = name_of(list[i]);
    std::string name = new_name(old);
    if (!index.emplace(name, i).second) continue;
    index.erase(old);
    old = std::move(name);
  }
}

}  // namespace

using fulgurite::Error;
using fulgurite::ExitCode;

void ModelFile::fail(std::string what, std::string hint) const {
  throw Error(ExitCode::kBadModel, std::move(what), name_, std::move(hint));
}

bool ModelFile::add(std::string key, MetaValue value) {
  if (!metadata_index_.emplace(key, metadata_.size()).second) return false;
  metadata_.emplace_back(std::move(key), std::move(value));
  return true;
}

bool ModelFile::add(Tensor tensor) {
  if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) return false;
  if (data_begin_ == nullptr || std::less<>()(tensor.data, data_begin_)) data_begin_ = tensor.data;
  tensors_.push_back(std::move(tensor));
  return true;
}

MetaValue* ModelFile::find_to_mend(std::string_view key) noexcept {
  return const_cast<MetaValue*>(std::as_const(*this).find(key));
}

void ModelFile::leave_out_tensors(const std::function<bool(const Tensor&)>& is_one) {
  std::erase_if(tensors_, is_one);
  tensor_index_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) tensor_index_.emplace(tensors_[i].name, i);
}

void ModelFile::rename_keys(const NewName& new_name) {
  rename(
      metadata_, metadata_index_, new_name, [](auto& entry) -> auto& { return entry.first; });
}

void ModelFile::rename_tensors(const NewName& new_name) {
  rename(
      tensors_, tensor_index_, new_name, [](Tensor & tensor) -> auto& { return tensor.name; });
}

const MetaValue* ModelFile::find(std::string_view key) const noexcept {
  const auto at = metadata_index_.find(key);
  return at == metadata_index_.end() ? nullptr : &metadata_[at->second].second;
}

const MetaValue& ModelFile::require(std::string_view key) const {
  const MetaValue* value = find(key);
  if (!value) fail("the key " + quoted(key) + " is missing", kConvert);
  return *value;
}

int64_t ModelFile::get_int(std::string_view key, int64_t lo, int64_t hi) const {
  const MetaValue& value = require(key);
  int64_t number = 0;
  if (const auto* u = std::get_if<uint64_t>(&value)) {
    if (*u > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      fail(std::string(key) + " is " + std::to_string(*u),
           std::to_string(lo) + " to " + std::to_string(hi));
    }
    number = static_cast<int64_t>(*u);
  } else if (const auto* i = std::get_if<int64_t>(&value)) {
    number = *i;
  } else {
    fail(std::string(key) + " is not a whole number", kConvert);
  }
  if (number < lo || number > hi) {
    fail(std::string(key) + " is " + std::to_string(number),
         std::to_string(lo) + " to " + std::to_string(hi));
  }
  return number;
}

int64_t ModelFile::get_int(std::string_view key, int64_t lo, int64_t hi, int64_t fallback) const {
  return find(key) ? get_int(key, lo, hi) : fallback;
}

double ModelFile::get_float(std::string_view key, double fallback) const {
  const MetaValue* value = find(key);
  if (!value) return fallback;
  const auto* number = std::get_if<double>(value);
  if (!number) fail(std::string(key) + " is not a floating-point number", kConvert);
  return *number;
}

bool ModelFile::get_bool(std::string_view key, bool fallback) const {
  const MetaValue* value = find(key);
  if (!value) return fallback;
  const auto* boolean = std::get_if<bool>(value);
  if (!boolean) fail(std::string(key) + " is not a boolean", kConvert);
  return *boolean;
}

std::string ModelFile::get_string(std::string_view key) const {
  const auto* text = std::get_if<std::string>(&require(key));
  if (!text) fail(std::string(key) + " is not a string", kConvert);
  return *text;
}

std::string ModelFile::get_string(std::string_view key, std::string fallback) const {
  return find(key) ? get_string(key) : std::move(fallback);
}

const std::vector<std::string>* ModelFile::get_strings(std::string_view key) const {
  const MetaValue* value = find(key);
  if (!value) return nullptr;
  const auto* strings = std::get_if<std::vector<std::string>>(value);
  if (!strings) fail(std::string(key) + " is not an array of strings", kConvert);
  return strings;
}

const Tensor* ModelFile::find_tensor(std::string_view name) const noexcept {
  const auto at = tensor_index_.find(name);
  return at == tensor_index_.end() ? nullptr : &tensors_[at->second];
}

const Tensor& ModelFile::require_tensor(const std::string& name, int64_t rows, int64_t cols,
                                        int64_t slices) const {
  const Tensor* tensor = find_tensor(name);
  if (!tensor) fail("tensor " + quoted(name) + " is missing", kConvert);
  const std::array<int64_t, 4> want = {cols, rows, slices, 1};
  if (tensor->ne != want) {
    std::string have = std::to_string(tensor->ne[0]);
    for (size_t d = 1; d < 4; ++d) {
      if (d == 1 || tensor->ne[d] != 1) have += " x " + std::to_string(tensor->ne[d]);
    }
    fail("tensor " + quoted(name) + " is " + have + ", but the metadata asks for " +
         std::to_string(cols) + " x " + std::to_string(rows) +
         (slices > 1 ? " x " + std::to_string(slices) : ""));
  }
  return *tensor;
}

}  // namespace model
