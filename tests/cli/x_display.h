// A virtual screen (Xvfb) with a mouse, a keyboard (xdotool) and a camera (ffmpeg), for tests that
// use the window as a person does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/run_program.h"

namespace cli {

class XDisplay {
 public:
  static constexpr int kWidth = 1280;  // px
  static constexpr int kHeight = 800;

  // Starts Xvfb on a free display; ready() is false when there is no Xvfb or it did not start.
  XDisplay() {
    server_ = std::make_unique<tests::Process>(
        std::vector<std::string>{"Xvfb", "-displayfd", "1", "-screen", "0",
                                 std::to_string(kWidth) + "x" + std::to_string(kHeight) + "x24",
                                 "-nolisten", "tcp", "-noreset"});
    for (int i = 0; i < 400 && server_->running(); ++i) {
      const std::string number = server_->out();
      if (number.ends_with('\n')) {
        name_ = ":" + number.substr(0, number.size() - 1);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
  }

  bool ready() const { return !name_.empty(); }
  std::string complaint() const { return server_->err(); }

  // What a client of this display wants in its environment.
  tests::Environment environment() const {
    return {{"DISPLAY", name_}, {"WAYLAND_DISPLAY", std::nullopt}, {"XAUTHORITY", std::nullopt}};
  }

  // One call of xdotool; several of its commands may follow each other.
  tests::Outcome xdotool(std::vector<std::string> words) const {
    words.insert(words.begin(), "xdotool");
    return tests::run_program(std::move(words), environment(), std::chrono::seconds(60));
  }

  void key(const std::string& name) const { xdotool({"key", name}); }

  void click(int x, int y) const {
    xdotool({"mousemove", std::to_string(x), std::to_string(y), "sleep", "0.2", "click", "1"});
  }

  // Presses the button, moves in steps as a hand does, lets go.
  void drag(int from_x, int from_y, int to_x, int to_y, int button = 1) const {
    constexpr int kSteps = 8;
    const auto move = [](std::vector<std::string>& words, int x, int y) {
      words.insert(words.end(),
                   {"mousemove", std::to_string(x), std::to_string(y), "sleep", "0.1"});
    };
    std::vector<std::string> words;
    move(words, from_x, from_y);
    words.insert(words.end(), {"mousedown", std::to_string(button), "sleep", "0.1"});
    for (int i = 1; i <= kSteps; ++i) {
      move(words, from_x + (to_x - from_x) * i / kSteps, from_y + (to_y - from_y) * i / kSteps);
    }
    words.insert(words.end(), {"mouseup", std::to_string(button)});
    xdotool(words);
  }

  // The whole screen, 3 bytes a pixel, rows from the top; empty if it could not be taken.
  std::string screenshot() const {
    return tests::run_program({"ffmpeg", "-v", "error", "-f", "x11grab", "-draw_mouse", "0",
                               "-video_size",
                               std::to_string(kWidth) + "x" + std::to_string(kHeight), "-i", name_,
                               "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"})
        .out;
  }

 private:
  std::unique_ptr<tests::Process> server_;
  std::string name_;
};

}  // namespace cli
