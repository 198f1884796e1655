// Text <-> token ids, from a model file's own tokenizer.ggml.* keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace model {

class ModelFile;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Any bytes are accepted, UTF-8 or not. A byte that the vocabulary cannot express
  // throws Error (usage) naming it. Thread-safe.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // The raw bytes of one token; not necessarily whole UTF-8 characters.
  // CHECKs 0 <= id < vocab_size().
  virtual std::string_view piece(int32_t id) const = 0;

  virtual int32_t vocab_size() const noexcept = 0;
  virtual int32_t bos_id() const noexcept { return -1; }  // -1: none
  virtual int32_t eos_id() const noexcept { return -1; }
  virtual bool adds_bos() const noexcept { return false; }

  std::string decode(const std::vector<int32_t>& ids) const {
    std::string text;
    for (const int32_t id : ids) text += piece(id);
    return text;
  }
};

// Builds the tokenizer that the file describes. Throws Error (bad_model) when its
// model is unknown or its arrays are inconsistent.
std::unique_ptr<Tokenizer> make_tokenizer(const ModelFile& file);

}  // namespace model
