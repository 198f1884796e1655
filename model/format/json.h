// JSON of strangers: config.json, tokenizer.json, indexes, headers of safetensors.
//
// For .cpp files only: it pulls in all of nlohmann_json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace model {

using Json = nlohmann::json;

// The document in `text`, every key of every object once, nested at most 64 deep, in memory of at
// most 16 MB and `growth` times the text. Throws Error (bad_model) with `name` and the byte where
// it goes wrong.
Json parse_json(std::string_view text, const std::string& name, size_t growth = 4);

// object[key], or null when there is none or `object` is no object.
const Json& json_at(const Json& object, const char* key) noexcept;

// Its text, or an empty one where `value` is no string.
std::string_view json_text(const Json& value) noexcept;

}  // namespace model
