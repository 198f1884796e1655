#include "model/format/json.h"

#include <vector>

#include "model/error.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr size_t kMaxDepth = 64;

// What is kept may be larger than the text: two bytes make a number of 16. Headers of safetensors
// grow about sixfold (and have some MB); texts that would grow by more than this are made to
// exhaust memory.
constexpr size_t kMaxGrowthBytes = size_t{16} << 20;
// Of an element of an array, which doubles when it is full and is copied then; of an entry of an
// object; of what a string or a container allocates for itself; and the longest text that a string
// holds inside.
constexpr size_t kElementBytes = 3 * sizeof(Json);
constexpr size_t kEntryBytes = 96;
constexpr size_t kBlockBytes = 48;
constexpr size_t kInside = 15;

size_t bytes_of(const std::string& text) noexcept {
  return text.size() > kInside ? text.size() : 0;
}

// Builds the document as the parser reads it; nlohmann's own builder knows no limits and lets
// a key that comes again replace the first.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(size_t most_bytes, const std::string& name) : name_(name), growth_(most_bytes) {}

  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override {
    grow(kBlockBytes + bytes_of(value));
    return put(std::move(value));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& text) override {
    grow(kEntryBytes + bytes_of(text));
    auto& object = open_.back()->get_ref<Json::object_t&>();
    const auto [at, is_new] = object.emplace(std::move(text), nullptr);
    if (!is_new) fail("the key " + model::quoted(at->first) + " comes twice");
    slot_ = &at->second;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail("is not valid JSON at byte " + std::to_string(position));
  }

 private:
  [[noreturn]] void fail(std::string what) const {
    throw Error(ExitCode::kBadModel, std::move(what), name_, "damaged; fetch it again");
  }

  void grow(size_t bytes) {
    if (bytes > growth_) fail("would take far more memory than its text");
    growth_ -= bytes;
  }

  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      grow(kElementBytes);
      auto& array = open_.back()->get_ref<Json::array_t&>();
      return &array.emplace_back(std::move(value));
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= kMaxDepth) {
      fail("is nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    grow(kBlockBytes);
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& name_;
  Json root_;
  std::vector<Json*> open_;  // the containers around the place that is read
  Json* slot_ = nullptr;     // of the key that was read last
  size_t growth_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& name, size_t growth) {
  Builder builder(kMaxGrowthBytes + growth * text.size(), name);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

const Json& json_at(const Json& object, const char* key) noexcept {
  static const Json null;
  if (!object.is_object()) return null;
  const auto at = object.find(key);
  return at == object.end() ? null : *at;
}

std::string_view json_text(const Json& value) noexcept {
  const auto* text = value.get_ptr<const std::string*>();
  return text ? std::string_view(*text) : std::string_view();
}

}  // namespace model
