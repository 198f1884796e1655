#include "render/ui/edit_line.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "render/ui/letters.h"

namespace {

class EditLine : public ::testing::Test {
 protected:
  EditLine() {
    ImGui::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.DisplaySize = ImVec2(400.0F, 300.0F);
    letters_ = std::make_unique<ui::Letters>(15.0F);
  }
  ~EditLine() override {
    letters_.reset();
    ImGui::DestroyContext();
  }
  void focus() {
    for (int i = 0; i < 4; ++i) frame();
  }
  void frame() {
    letters_->update();
    unsigned char* pixels = nullptr;
    int width = 0;
    int height = 0;
    ImGui::GetIO().Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
    ImGui::NewFrame();
    ImGui::Begin("window");
    if (std::exchange(asks_, false)) ImGui::SetKeyboardFocusHere();
    ui::edit_line("##line", "hint", text_, ahead_);
    ImGui::End();
    ImGui::EndFrame();
  }
  // Pressed and let go.
  void with_control(ImGuiKey key) {
    ImGuiIO& io = ImGui::GetIO();
    for (const bool down : {true, false}) {
#if IMGUI_VERSION_NUM < 18700
      io.KeyMap[key] = key;
      io.KeysDown[key] = down;
      io.KeyCtrl = down;
#else
      io.AddKeyEvent(ImGuiMod_Ctrl, down);
      io.AddKeyEvent(key, down);
#endif
      frame();
      frame();
    }
  }
  // As Ui's callback does.
  void type(char32_t c) {
    if (!letters_->editable().keep_typed(c)) ImGui::GetIO().AddInputCharacter(c);
  }

  std::unique_ptr<ui::Letters> letters_;
  ui::TypedAhead ahead_;
  bool asks_ = true;
  std::string text_;
};

TEST_F(EditLine, TakesWhatDearImGuiDoesNot) {
  focus();
  for (const char32_t c : std::u32string(U"a\U0001F44Db\u21B5")) type(c);
  frame();
  frame();
  type(U'c');
  frame();
  frame();
  EXPECT_EQ("a\U0001F44Db\u21B5c", text_);
}

// Dear ImGui 1.86 undid into the void.
TEST_F(EditLine, UndoAfterItIsHarmless) {
  focus();
  for (const char c : std::string("abcdefghij")) {
    type(static_cast<char32_t>(c));
    frame();
  }
  with_control(ImGuiKey_A);
  type(U'\U0001F44D');
  frame();
  frame();
  EXPECT_EQ("\U0001F44D", text_);
  for (int i = 0; i < 12; ++i) with_control(ImGuiKey_Z);
  EXPECT_TRUE(text_ == "\U0001F44D" || text_ == "abcdefghij" || text_.empty()) << text_;
}

TEST_F(EditLine, LeavesWhatItWasGiven) {
  text_ = "\U0001F44D\n\xFF";
  focus();
  EXPECT_EQ("\U0001F44D\n\xFF", text_);
  type(U'\U0001F44E');  // all of it is selected
  frame();
  frame();
  EXPECT_EQ("\U0001F44E", text_);
}

}  // namespace
