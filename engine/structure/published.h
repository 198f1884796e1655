// Shapes of published models, from their papers and configuration files: what `--structure NAME`
// shows without any weights.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/config.h"

namespace engine {

struct PublishedShape {
  std::string_view name;   // for --structure
  std::string_view title;  // for people
  std::string_view source;
  double billions;  // of parameters, as its authors say
  model::Config config;
};

std::span<const PublishedShape> published_shapes();

// All weights of a model of that shape: matrices, biases, norms, embeddings.
uint64_t count_parameters(const model::Config& config);

}  // namespace engine
