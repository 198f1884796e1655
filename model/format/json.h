// JSON of strangers: config.json, tokenizer.json, indexes, headers of safetensors.
//
// For .cpp files only: it pulls in all of nlohmann_json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace model {

using Json = nlohmann::json;

// Is told what a document holds, in the order of its text, so that a large one need not be kept.
// What the calls throw ends the reading.
class JsonReader {
 public:
  // name: of the file, for errors.
  explicit JsonReader(std::string name) : name_(std::move(name)) {}
  virtual ~JsonReader() = default;

  virtual void on_key(std::string key) = 0;
  virtual void on_value(Json value) = 0;  // no container
  virtual void on_begin(bool array) = 0;
  virtual void on_end() = 0;

  // Containers that are open around the place that is read: the one that begins or ends is none.
  size_t depth() const noexcept { return depth_; }

  // Throws Error (bad_model).
  [[noreturn]] void fail(std::string what) const;

 protected:
  const std::string& name() const noexcept { return name_; }

 private:
  friend void read_json(std::string_view text, JsonReader& reader);

  std::string name_;
  size_t depth_ = 0;
};

// Keeps what it is told, in memory of at most `most_bytes`; every key of an object once.
class JsonBuilder final : public JsonReader {
 public:
  JsonBuilder(std::string name, size_t most_bytes)
      : JsonReader(std::move(name)), growth_(most_bytes) {}

  void on_key(std::string key) override;
  void on_value(Json value) override;
  void on_begin(bool array) override;
  void on_end() override { open_.pop_back(); }

  // Whether a whole document was told.
  bool complete() const noexcept { return open_.empty() && begun_; }
  Json take() { return std::move(root_); }

 private:
  void grow(size_t bytes);
  Json* place(Json value);

  Json root_;
  std::vector<Json*> open_;  // the containers around the place that is read
  Json* slot_ = nullptr;     // of the key that was read last
  size_t growth_;
  bool begun_ = false;
};

// Tells `reader` the document in `text`, nested at most 64 deep, no text in it longer than 1 MB.
// Throws Error (bad_model) with the byte where it is no JSON.
void read_json(std::string_view text, JsonReader& reader);

// The document in `text`, every key of every object once, in memory of at most 16 MB and 4 times
// the text. Throws Error (bad_model), `name` being the file's.
Json parse_json(std::string_view text, const std::string& name);

// object[key], or null when there is none or `object` is no object.
const Json& json_at(const Json& object, const char* key) noexcept;

// Its text, or an empty one where `value` is no string.
std::string_view json_text(const Json& value) noexcept;

}  // namespace model
