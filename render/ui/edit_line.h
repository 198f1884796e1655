// A line of text that is edited, whatever characters it holds.
#pragma once

#include <imgui.h>

#include <string>

#include "render/ui/typed_ahead.h"

namespace ui {

// As ImGui::InputTextWithHint, whose line knows characters of 16 bits alone: see
// scene::Editable. Escape leaves what was written. ahead: letters typed before the line had the
// keyboard. callback: every frame in which it has it. True: Enter was pressed.
bool edit_line(const char* id, const char* hint, std::string& text, TypedAhead& ahead,
               ImGuiInputTextFlags flags = 0, ImGuiInputTextCallback callback = nullptr,
               void* data = nullptr);

}  // namespace ui
