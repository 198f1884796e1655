#include "model/format/json.h"

#include "model/error.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr size_t kMaxDepth = 64;

// What is kept may be larger than the text: two bytes make a number of 16. Texts that would
// grow by more than this are made to exhaust memory.
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

// The parser copies a token several times before it is told, and takes NUL for the end.
void check_tokens(std::string_view text, const JsonReader& reader) {
  constexpr size_t kMaxTokenBytes = size_t{1} << 20;
  bool in_text = false;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i - begin > kMaxTokenBytes) {
      reader.fail("holds more than 1 MB without a break at byte " + std::to_string(begin));
    }
    const char c = text[i];
    if (c == '\0') reader.fail("is not valid JSON at byte " + std::to_string(i));
    if (c == '"') {
      in_text = !in_text;
      begin = i;
    } else if (in_text) {
      if (c == '\\') ++i;
    } else if (c == ',' || c == ':' || c == '[' || c == '{') {
      begin = i;
    }
  }
}

}  // namespace

void JsonReader::fail(std::string what) const {
  throw Error(ExitCode::kBadModel, std::move(what), name_, "damaged; fetch it again");
}

void JsonBuilder::grow(size_t bytes) {
  if (bytes > growth_) fail("would take far more memory than its text");
  growth_ -= bytes;
}

Json* JsonBuilder::place(Json value) {
  begun_ = true;
  if (open_.empty()) {
    root_ = std::move(value);
    return &root_;
  }
  if (open_.back()->is_array()) {
    grow(kElementBytes);
    return &open_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
  }
  *slot_ = std::move(value);
  return slot_;
}

// nlohmann's own builder lets a key that comes again replace the first.
void JsonBuilder::on_key(std::string key) {
  grow(kEntryBytes + bytes_of(key));
  auto& object = open_.back()->get_ref<Json::object_t&>();
  const auto [at, is_new] = object.emplace(std::move(key), nullptr);
  if (!is_new) fail("the key " + model::quoted(at->first) + " comes twice");
  slot_ = &at->second;
}

void JsonBuilder::on_value(Json value) {
  if (const auto* text = value.get_ptr<const std::string*>()) grow(kBlockBytes + bytes_of(*text));
  place(std::move(value));
}

void JsonBuilder::on_begin(bool array) {
  grow(kBlockBytes);
  open_.push_back(place(array ? Json::array() : Json::object()));
}

void read_json(std::string_view text, JsonReader& reader) {
  check_tokens(text, reader);
  struct Sax : nlohmann::json_sax<Json> {
    explicit Sax(JsonReader& told) : to(told) {}

    bool null() override { return value(nullptr); }
    bool boolean(bool v) override { return value(v); }
    bool number_integer(number_integer_t v) override { return value(v); }
    bool number_unsigned(number_unsigned_t v) override { return value(v); }
    bool number_float(number_float_t v, const string_t&) override { return value(v); }
    bool string(string_t& v) override { return value(std::move(v)); }
    bool binary(binary_t&) override { return false; }  // JSON has none
    bool start_object(size_t) override { return begin(false); }
    bool start_array(size_t) override { return begin(true); }
    bool end_object() override { return end(); }
    bool end_array() override { return end(); }
    bool key(string_t& v) override {
      to.on_key(std::move(v));
      return true;
    }
    bool parse_error(size_t position, const std::string&,
                     const nlohmann::detail::exception&) override {
      to.fail("is not valid JSON at byte " + std::to_string(position));
    }

    bool value(Json v) {
      to.on_value(std::move(v));
      return true;
    }
    bool begin(bool array) {
      if (to.depth_ >= kMaxDepth) {
        to.fail("is nested more than " + std::to_string(kMaxDepth) + " deep");
      }
      to.on_begin(array);
      ++to.depth_;
      return true;
    }
    bool end() {
      --to.depth_;
      to.on_end();
      return true;
    }

    JsonReader& to;
  } sax(reader);
  Json::sax_parse(text.begin(), text.end(), &sax);
}

Json parse_json(std::string_view text, const std::string& name) {
  constexpr size_t kGrowth = 4;
  JsonBuilder builder(name, kMaxGrowthBytes + kGrowth * text.size());
  read_json(text, builder);
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
