// A tensor's numbers as a picture of cells, one a number or the mean of a block, with what is under
// the pointer.
#pragma once

#include <cstdint>
#include <string_view>

#include "render/scene/tensors.h"
#include "render/ui/ui.h"

namespace ui {

class Heatmap {
 public:
  // bottom: where it ends at the latest, pixels of the screen, unless it would be a strip then.
  void draw(State& state, const scene::TensorName& tensor, const trace::TensorAnswer& answer,
            float bottom);

 private:
  uint64_t texture_ = 0;  // 0: none
  uint64_t request_ = 0;  // whose answer it shows
  uint32_t rows_ = 0, cols_ = 0;
  std::string_view words_;  // of the colours that it was painted with
};

}  // namespace ui
