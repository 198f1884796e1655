// What the steps of a tokenizer.json do to a text before its tokens are made: the normalizer's and
// the pre-tokenizer's (format: github.com/huggingface/tokenizers, its serialisation).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/format/json.h"

namespace model {

// Calls f on `value` and, where it is a Sequence, on its parts (of key `list`).
template <class F>
void for_each_step(const Json& value, const char* list, F&& f) {
  const Json& parts = json_at(value, list);
  if (json_text(json_at(value, "type")) != "Sequence" || !parts.is_array()) {
    if (value.is_object()) f(value);
    return;
  }
  for (const Json& part : parts) {
    if (part.is_object()) f(part);
  }
}

// object[key], or by_default where that is no boolean.
bool json_flag(const Json& object, const char* key, bool by_default);

// What a normalizer does. Composed characters (NFC) are left as they are, as llama.cpp does.
struct Normalizer {
  bool shows_spaces = false;
  bool prepends_space = false;
  std::string_view unknown;  // a step that would change the tokens in another way
};

Normalizer normalizer_of(const Json& normalizer);

// What a pre-tokenizer does.
struct Splits {
  std::vector<std::string> steps;  // of those on bytes, in a few words each: see pre_name()
  bool byte_level = false;
  bool adds_space = false;     // ByteLevel before every run
  bool at_spaces = false;      // that are written as such
  std::string_view metaspace;  // empty: none; "always", "first" or "never" a space before a run
  bool metaspace_words = false;
  std::string_view other;    // a step for bytes alone: Digits, Punctuation or Split
  std::string_view unknown;  // a step of another kind
};

Splits splits_of(const Json& pre_tokenizer);

// llama.cpp's name of a pre-tokenizer of bytes (tokenizer.ggml.pre) whose steps are, one for one,
// those of a known one; or "unknown" and the steps.
std::string pre_name(const Splits& splits);

}  // namespace model
