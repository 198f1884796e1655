#include "render/ui/typed_ahead.h"

#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <string>
#include <utility>

namespace {

class TypedAhead : public ::testing::Test {
 protected:
  TypedAhead() {
    ImGui::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.DisplaySize = ImVec2(400.0F, 300.0F);
    unsigned char* pixels = nullptr;
    int width = 0;
    int height = 0;
    io.Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
  }
  ~TypedAhead() override { ImGui::DestroyContext(); }

  static void type(const char* letters) { ImGui::GetIO().AddInputCharactersUTF8(letters); }
  void ask(bool letter) {
    asked_ = true;
    typed_.begin(letter);
  }
  void frame(const char* letters = "") {
    type(letters);
    ImGui::NewFrame();
    ImGui::Begin("window");
    if (std::exchange(asked_, false)) ImGui::SetKeyboardFocusHere();
    typed_.give();
    ImGui::InputText("##line", &line_);
    typed_.look();
    ImGui::End();
    ImGui::EndFrame();
  }

  ui::TypedAhead typed_;
  bool asked_ = false;
  std::string line_;
};

TEST_F(TypedAhead, LettersOfTheFrameInWhichALineIsAskedForReachIt) {
  frame();
  ask(false);
  frame("mu");
  frame("te");
  frame(" head");
  frame();
  EXPECT_EQ("mute head", line_);
}

TEST_F(TypedAhead, NotThoseBeforeNorTheLetterThatAsks) {
  frame("orbit");
  type("l");
  ask(true);  // P
  frame("pzoo");
  frame("m");
  frame();
  EXPECT_EQ("zoom", line_);
}

}  // namespace
