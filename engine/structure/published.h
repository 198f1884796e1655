// Shapes of published models, from their papers and configuration files: what `--structure NAME`
// shows without any weights.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/config.h"

namespace engine {

// Attention over a compressed cache (multi-head latent attention; DeepSeek-V2, arXiv:2405.04434).
struct LatentAttention {
  int64_t query_rank = 0;
  int64_t kv_rank = 0;     // numbers kept a position for all heads together ...
  int64_t rope_width = 0;  // ... and these, which are rotated
  int64_t value_width = 0;
};

struct PublishedShape {
  std::string_view name;   // for --structure
  std::string_view title;  // for people
  std::string_view source;
  double billions;  // of parameters, as its authors say
  model::Config config;
  LatentAttention latent = {};
};

std::span<const PublishedShape> published_shapes();

// All weights of a model of that shape: matrices, biases, norms, embeddings.
uint64_t count_parameters(const model::Config& config);
uint64_t count_parameters(const PublishedShape& shape);

}  // namespace engine
