#include "render/ui/edit_line.h"

#include <imgui_stdlib.h>

#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

bool edit_line(const char* id, const char* hint, std::string& text, TypedAhead& ahead,
               ImGuiInputTextFlags flags, ImGuiInputTextCallback callback, void* data) {
  Letters& letters = Letters::current();
  const std::string shown = letters.editable().shown(text);
  std::string edited = shown;
  letters.want(shown);
  ahead.give();
  const bool entered = ImGui::InputTextWithHint(
      id, hint, &edited, flags | ImGuiInputTextFlags_EnterReturnsTrue, callback, data);
  ahead.look();
  // Escape would bring back what stood there before.
  const bool escaped = ImGui::IsItemDeactivated() && escape_pressed();
  if (!escaped && edited != shown) text = letters.editable().meant(edited);
  return entered;
}

}  // namespace ui
