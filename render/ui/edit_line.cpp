#include "render/ui/edit_line.h"

#include <imgui_stdlib.h>
#if IMGUI_VERSION_NUM < 18700
#include <imgui_internal.h>
#endif

#include <algorithm>

#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

struct Callback {
  ImGuiInputTextCallback call;
  void* data;
};

// Dear ImGui before 1.87 would undo what was written before as if a callback had changed nothing.
void forget_undo() {
#if IMGUI_VERSION_NUM < 18700
  auto& undo = ImGui::GetCurrentContext()->InputTextState.Stb.undostate;
  undo.undo_point = 0;
  undo.undo_char_point = 0;
  undo.redo_point = STB_TEXTEDIT_UNDOSTATECOUNT;
  undo.redo_char_point = STB_TEXTEDIT_UNDOCHARCOUNT;
#endif
}

// Dear ImGui takes no stand-ins from the keyboard: they are put in here.
int put_typed(ImGuiInputTextCallbackData* data) {
  const Callback next = *static_cast<const Callback*>(data->UserData);
  const std::string typed = Letters::current().editable().take_typed();
  if (!typed.empty()) {
    const auto [first, last] = std::minmax(data->SelectionStart, data->SelectionEnd);
    if (first < last) data->DeleteChars(first, last - first);
    data->InsertChars(data->CursorPos, typed.c_str());
    forget_undo();
  }
  if (next.call == nullptr) return 0;
  data->UserData = next.data;
  return next.call(data);
}

}  // namespace

bool edit_line(const char* id, const char* hint, std::string& text, TypedAhead& ahead,
               ImGuiInputTextFlags flags, ImGuiInputTextCallback callback, void* data) {
  Letters& letters = Letters::current();
  const std::string shown = letters.editable().shown(text);
  std::string edited = shown;
  letters.want(shown);
  ahead.give();
  Callback next{callback, data};
  flags |= ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_CallbackAlways;
  const bool entered = ImGui::InputTextWithHint(id, hint, &edited, flags, put_typed, &next);
  ahead.look();
  // Escape would bring back what stood there before.
  const bool escaped = ImGui::IsItemDeactivated() && escape_pressed();
  if (!escaped && edited != shown) text = letters.editable().meant(edited);
  return entered;
}

}  // namespace ui
