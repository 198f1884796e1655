// What is built into the program. The bytes live as long as it does.
#pragma once

#include <cstddef>
#include <span>

extern "C" const std::byte fulgurite_builtin_model[];
extern "C" const std::byte fulgurite_builtin_model_end[];

namespace assets {

// assets/fulgurite.gguf: the model that `fulgurite` uses without -m.
inline std::span<const std::byte> builtin_model() {
  return {fulgurite_builtin_model, fulgurite_builtin_model_end};
}

}  // namespace assets
