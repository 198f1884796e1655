// Letters typed before the line that they are meant for can take them: Dear ImGui gives a line the
// keyboard a frame after it was asked to (SetKeyboardFocusHere), and drops what comes until then.
#pragma once

#include <vector>

namespace ui {

class TypedAhead {
 public:
  // When a key asks for a line: letters before it are not for that, nor is the key's own if it is
  // one.
  void begin(bool letter);
  // Before the line: keeps this frame's letters until it has the keyboard, and then gives it all.
  void give();
  // After the line, the last item.
  void look();

 private:
  int frames_left_ = 0;  // to wait for it
  bool active_ = false;  // it has the keyboard
  int before_ = 0;       // letters that are not for the line
  std::vector<unsigned> kept_;
};

}  // namespace ui
