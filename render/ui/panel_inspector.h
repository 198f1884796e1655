// What was clicked: the measure that lights it, and the tensors behind it, as they are at the
// position under the playhead. Tensors are asked of the engine and arrive through the trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "render/scene/tensors.h"
#include "render/ui/heatmap.h"
#include "render/ui/ui.h"

namespace ui {

class Inspector {
 public:
  explicit Inspector(Explanations& explanations) : explanations_(explanations) {}

  // Draws nothing while nothing is selected. Not interactive: for recordings.
  void draw(State& state, bool interactive);

 private:
  struct Question {
    scene::NodeRef ref;
    std::string name;
    int32_t first_row = 0;
    int32_t rows = -1;
    uint32_t position = 0;
    uint64_t conversation = 0;
    bool operator==(const Question&) const = default;
  };
  void choose(const std::vector<scene::TensorName>& tensors, std::string_view name);
  void ask(State& state, const scene::TensorName& tensor);
  void show(State& state, const scene::TensorName& tensor, const trace::TensorAnswer& answer);
  void strongest(State& state, const scene::NodeRef& ref, uint32_t position, bool interactive);

  Explanations& explanations_;
  scene::NodeRef ref_;
  size_t tab_ = 0;
  Question asked_;
  uint64_t request_ = 0;        // the newest that was posted
  uint64_t shown_request_ = 0;  // the newest that was answered
  Heatmap heatmap_;
};

}  // namespace ui
