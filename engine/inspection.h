// Any tensor of any past position, for people: its statistics, and its values or means of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/control.h"
#include "engine/loaded_model.h"
#include "engine/past.h"

namespace engine {

struct Inspection {
  // At most kMaxSide x kMaxSide, or as many in a single row; a larger tensor is given as means of
  // blocks.
  int64_t rows = 0, cols = 0;
  std::vector<float> values;
  int64_t full_rows = 0, full_cols = 0;
  // Of every value, not of the means; of a mixture's neurons only those whose experts ran.
  float min = 0.0F, max = 0.0F, mean = 0.0F, rms = 0.0F;
  std::string formula;  // or, when rows is 0, why there is nothing
};

inline constexpr int64_t kMaxSide = 512;

// Throws std::bad_alloc.
Inspection inspect_tensor(const LoadedModel& model, const Past& past, const Inspect& what);

// Cuts a tensor down to at most that and computes the statistics, row by row: it need not be in
// memory as a whole.
class Summary {
 public:
  Summary(int64_t rows, int64_t cols);
  // The next of the rows: (cols).
  void add_row(const float* values);
  // When all of them have come.
  Inspection result() &&;

 private:
  Inspection s_;
  double sum_ = 0.0;
  double squares_ = 0.0;
  int64_t row_ = 0;
  std::vector<double> blocks_;  // sums of the row of blocks that is being added to
};

}  // namespace engine
