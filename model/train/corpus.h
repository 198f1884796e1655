// A text as training data: one token a byte, its first 90 % to learn from, the rest to validate.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace model::train {

inline constexpr int64_t kByteVocabulary = 256;

class Corpus {
 public:
  // Throws Error (failed) when the file is missing, a directory, unreadable, larger than 4 GB,
  // or too short for one window of `window` tokens in each part.
  Corpus(const std::string& path, int64_t window);

  std::span<const int32_t> training() const noexcept;
  std::span<const int32_t> validation() const noexcept;
  // fnv1a() of the text.
  uint64_t hash() const noexcept { return hash_; }

 private:
  std::vector<int32_t> tokens_;
  size_t split_ = 0;
  uint64_t hash_ = 0;
};

// FNV-1a of 64 bits (Fowler, Noll & Vo).
uint64_t fnv1a(std::string_view bytes) noexcept;

// The bytes of a file; throws as above, and when it is empty or larger than `most`.
std::string read_text(const std::string& path, uint64_t most = uint64_t{4} << 30U);

}  // namespace model::train
