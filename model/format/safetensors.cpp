#include "model/format/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "model/error.h"
#include "model/format/json.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// The reference implementation takes 100 million; these are 120,000 tensors' descriptions.
constexpr uint64_t kMaxHeaderBytes = 16'000'000;
constexpr const char* kFetch = "truncated or damaged; fetch it again";

// The format's types and the bits of an element.
constexpr std::array<std::pair<std::string_view, uint64_t>, 21> kTypes = {
    {{"BOOL", 8},       {"U8", 8},   {"I8", 8},      {"F8_E4M3", 8}, {"F8_E5M2", 8},
     {"F8_E8M0", 8},    {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16},
     {"U16", 16},       {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},
     {"F32", 32},       {"F64", 64}, {"I64", 64},    {"U64", 64},    {"C64", 64},
     {"F8_E4M3FNUZ", 8}}};

class Header {
 public:
  Header(std::span<const std::byte> data, const std::string& name) : data_(data), name_(name) {}

  [[noreturn]] void fail(std::string what, std::string hint = kFetch) const {
    throw Error(ExitCode::kBadModel, std::move(what), name_, std::move(hint));
  }

  StoredTensor tensor(const std::string& name, const Json& info) const {
    const std::string what = "tensor " + model::quoted(name);
    if (!info.is_object() || info.size() != 3) {
      fail(what + " is not described by dtype, shape and data_offsets");
    }
    StoredTensor t;
    t.name = name;
    const std::string_view dtype = json_text(json_at(info, "dtype"));
    const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                    [&](const auto& known) { return known.first == dtype; });
    if (type == kTypes.end()) fail(what + " is of the unknown type " + model::quoted(dtype), "");
    t.dtype = type->first;
    const uint64_t all_bits = shape(what, json_at(info, "shape"), type->second, t.shape);

    const Json& offsets = json_at(info, "data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      fail(what + " has no pair of whole numbers for data_offsets");
    }
    const auto begin = offsets[0].get<uint64_t>();
    const auto end = offsets[1].get<uint64_t>();
    if (begin > end || end > data_.size()) {
      fail(what + " lies from byte " + std::to_string(begin) + " to " + std::to_string(end) +
           " of the data, which has " + std::to_string(data_.size()));
    }
    if (all_bits % 8 != 0 || all_bits / 8 != end - begin) {
      fail(what + " takes " + std::to_string(end - begin) + " bytes, but its shape asks for " +
           std::to_string(all_bits / 8));
    }
    t.data = data_.subspan(begin, end - begin);
    return t;
  }

  void check_cover(const std::vector<StoredTensor>& tensors) const {
    const std::byte* at = data_.data();
    for (const StoredTensor& t : tensors) {
      if (t.data.data() < at) fail("tensor " + model::quoted(t.name) + " overlaps another one");
      if (t.data.data() > at) {
        fail("nothing describes the " + std::to_string(t.data.data() - at) +
             " bytes before tensor " + model::quoted(t.name));
      }
      at += t.data.size();
    }
    const auto left = data_.data() + data_.size() - at;
    if (left > 0) fail("nothing describes the last " + std::to_string(left) + " bytes");
  }

 private:
  // Bits of all elements.
  uint64_t shape(const std::string& what, const Json& sizes, uint64_t bits,
                 std::vector<int64_t>& out) const {
    if (!sizes.is_array()) fail(what + " has no array for its shape");
    for (const Json& size : sizes) {
      if (!size.is_number_unsigned() ||
          size.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        fail(what + " has a size that is no whole number of 63 bits");
      }
      out.push_back(size.get<int64_t>());
      if (__builtin_mul_overflow(bits, size.get<uint64_t>(), &bits)) {
        fail(what + " has more bits than 64 bits can count");
      }
    }
    return bits;
  }

  std::span<const std::byte> data_;
  const std::string& name_;
};

// Keeps one tensor's description at a time.
class HeaderReader final : public JsonReader {
 public:
  HeaderReader(const Header& header, const std::string& name)
      : JsonReader(name), header_(header), entry_(name, kMetadataBytes) {}

  void on_key(std::string key) override {
    if (depth() > 1) return entry_.on_key(std::move(key));
    key_ = std::move(key);
    if (is_metadata() && std::exchange(has_metadata_, true))
      fail("the key '" + key_ + "' comes twice");
    entry_ = JsonBuilder(name(), is_metadata() ? kMetadataBytes : kEntryBytes);
  }
  void on_value(Json value) override {
    entry_.on_value(std::move(value));
    finish();
  }
  void on_begin(bool array) override {
    if (depth() > 0) entry_.on_begin(array);
  }
  void on_end() override {
    if (depth() == 0) return;
    entry_.on_end();
    finish();
  }

  std::vector<StoredTensor> take() { return std::move(tensors_); }

 private:
  static constexpr size_t kMetadataBytes = size_t{16} << 20;
  static constexpr size_t kEntryBytes = size_t{64} << 10;

  bool is_metadata() const { return key_ == "__metadata__"; }

  void finish() {
    if (!entry_.complete()) return;
    const Json value = entry_.take();
    if (is_metadata()) {
      const bool texts =
          value.is_object() &&
          std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_string(); });
      if (!texts) header_.fail("__metadata__ is no object of texts");
      return;
    }
    if (tensors_.size() == kMaxStoredTensors) {
      header_.fail("describes more than " + std::to_string(kMaxStoredTensors) + " tensors");
    }
    tensors_.push_back(header_.tensor(key_, value));
  }

  const Header& header_;
  std::string key_;
  JsonBuilder entry_;
  bool has_metadata_ = false;
  std::vector<StoredTensor> tensors_;
};

void check_names(std::vector<StoredTensor>& tensors, const Header& header) {
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(
      tensors.begin(), tensors.end(),
      [](const StoredTensor& a, const StoredTensor& b) { return a.name == b.name; });
  if (twice != tensors.end()) header.fail("the key " + model::quoted(twice->name) + " comes twice");
}

std::string_view header_text(std::span<const std::byte> bytes, const std::string& name) {
  const auto fail = [&](std::string what, std::string hint = kFetch) {
    throw Error(ExitCode::kBadModel, std::move(what), name, std::move(hint));
  };
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (all.starts_with("version https://git-lfs")) {
    fail("is a git-lfs pointer", "`git lfs pull` fetches the model itself");
  }
  uint64_t length = 0;
  if (bytes.size() < sizeof length) fail("is too short for safetensors");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderBytes) {
    fail("claims a header of " + std::to_string(length) + " bytes",
         "at most 16 million; is it safetensors?");
  }
  if (length > bytes.size() - sizeof length) {
    fail("claims a header of " + std::to_string(length) + " bytes, but only " +
         std::to_string(bytes.size() - sizeof length) + " follow");
  }
  const std::string_view text = all.substr(sizeof length, length);
  if (!text.starts_with('{')) fail("its header does not begin with '{'", "is it safetensors?");
  return text;
}

}  // namespace

std::vector<StoredTensor> parse_safetensors(std::span<const std::byte> bytes,
                                            const std::string& name) {
  const std::string_view text = header_text(bytes, name);
  const Header header(bytes.subspan(sizeof(uint64_t) + text.size()), name);
  HeaderReader reader(header, name);
  read_json(text, reader);
  std::vector<StoredTensor> tensors = reader.take();
  check_names(tensors, header);
  // Empty ones first where several begin at the same byte.
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.data.data(), a.data.size()) < std::pair(b.data.data(), b.data.size());
  });
  header.check_cover(tensors);
  return tensors;
}

}  // namespace model
