#include "render/ui/typed_ahead.h"

#include <imgui.h>

#include <algorithm>
#include <utility>

namespace ui {

void TypedAhead::begin(bool letter) {
  frames_left_ = 6;  // some more than it takes
  active_ = false;
  before_ = ImGui::GetIO().InputQueueCharacters.Size + (letter ? 1 : 0);
  kept_.clear();
}

void TypedAhead::give() {
  if (frames_left_ == 0) return;
  --frames_left_;
  ImVector<ImWchar>& letters = ImGui::GetIO().InputQueueCharacters;
  const int skipped = std::min(std::exchange(before_, 0), letters.Size);
  kept_.insert(kept_.end(), letters.begin() + skipped, letters.end());
  letters.clear();
  if (!active_) return;
  for (const unsigned c : kept_) letters.push_back(static_cast<ImWchar>(c));
  frames_left_ = 0;
}

void TypedAhead::look() {
  active_ = ImGui::IsItemActive();
}

}  // namespace ui
