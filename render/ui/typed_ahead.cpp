#include "render/ui/typed_ahead.h"

#include <imgui.h>
#if IMGUI_VERSION_NUM >= 18700
#include <imgui_internal.h>
#endif

#include <algorithm>

namespace ui {

void TypedAhead::begin(bool letter) {
  frames_left_ = 6;  // some more than it takes
  active_ = false;
  before_ = ImGui::GetIO().InputQueueCharacters.Size + (letter ? 1 : 0);
#if IMGUI_VERSION_NUM >= 18700
  // Letters wait as events until a frame begins.
  for (const ImGuiInputEvent& event : ImGui::GetCurrentContext()->InputEventsQueue)
    before_ += event.Type == ImGuiInputEventType_Text ? 1 : 0;
#endif
  kept_.clear();
}

void TypedAhead::give() {
  if (frames_left_ == 0) return;
  --frames_left_;
  ImVector<ImWchar>& letters = ImGui::GetIO().InputQueueCharacters;
  const int skipped = std::min(before_, letters.Size);
  before_ -= skipped;
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
