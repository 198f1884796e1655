// Which taps a model really has, with their shapes: what one position hands over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/loaded_model.h"
#include "model/tap.h"

namespace engine::commands {

struct TapShape {
  std::string name;  // "blk.3.attn.weights"
  model::Tap tap;
  int64_t rows = 0;
  int64_t cols = 0;      // of position 0
  bool reaches = false;  // as many columns as there are positions up to it
  std::string formula;

  // "(12, T)", "(768)"; T is position + 1.
  std::string shape() const;
};

// In the order in which a pass makes them. Runs the model over two positions.
std::vector<TapShape> list_taps(LoadedModel& model);

// Up to `n` of the names that are most like this one, by edit distance (Levenshtein 1966).
std::vector<std::string> nearest_names(const std::vector<TapShape>& taps, const std::string& name,
                                       size_t n);

}  // namespace engine::commands
