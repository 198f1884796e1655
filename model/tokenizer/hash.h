// The hash of the tokenizers' tables. Their keys come from strangers, who must not be able to make
// many that fall together: what it multiplies with is drawn anew by every process.
#pragma once

#include <cstdint>
#include <random>

namespace model {

class Secret {
 public:
  Secret() {
    std::random_device device;
    for (uint64_t& number : numbers_) number = uint64_t{device()} << 32 | device() | 1U;
  }

  uint64_t mix(uint64_t hash) const noexcept {
    for (const uint64_t number : numbers_) {
      hash = (hash ^ number) * number;
      hash ^= hash >> 32;
    }
    return hash;
  }

 private:
  uint64_t numbers_[2];
};

inline const Secret kSecret;

}  // namespace model
