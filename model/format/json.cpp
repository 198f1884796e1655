#include "model/format/json.h"

#include <vector>

#include "model/error.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr size_t kMaxDepth = 64;
// A vocabulary of 262,144 tokens with half a million merges of two strings has 1.8 million.
constexpr size_t kMaxValues = 4'000'000;

// Builds the document as the parser reads it; nlohmann's own builder knows no limits and lets
// a key that comes again replace the first.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const std::string& name) : name_(name) {}

  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& text) override {
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

  Json* place(Json value) {
    if (++values_ > kMaxValues) fail("has more than " + std::to_string(kMaxValues) + " values");
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
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
  size_t values_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& name) {
  Builder builder(name);
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
