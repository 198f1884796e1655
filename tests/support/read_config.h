// What read_config() makes of a GGUF that a test writes.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "model/arch/registry.h"
#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace tests {

inline model::Config config_of(const GgufBytes& g) {
  return model::read_config(LoadedGguf(g.build()).file);
}

// The sentence with which its metadata is refused.
inline std::string refusal(const GgufBytes& g) {
  const LoadedGguf loaded(g.build());
  try {
    model::read_config(loaded.file);
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    EXPECT_CONTAINS(error.what(), "test.gguf: ");
    return error.what();
  }
  return "(accepted)";
}

// small_llama() under another name.
inline GgufBytes as_family(const std::string& arch) {
  GgufBytes g = small_llama();
  g.string("general.architecture", arch);
  for (const char* name : {"block_count", "context_length", "embedding_length",
                           "feed_forward_length", "attention.head_count"}) {
    const std::string key = std::string(".") + name;
    g.u32(arch + key,
          static_cast<uint32_t>(
              LoadedGguf(small_llama().build()).file.get_int("llama" + key, 0, 1 << 20)));
  }
  if (arch == "granite") g.f32("granite.logit_scale", 1.0F);
  return g.f32(arch + ".attention.layer_norm_rms_epsilon", 1e-6F)
      .f32(arch + ".attention.layer_norm_epsilon", 1e-6F);
}

}  // namespace tests
