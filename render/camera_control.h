// How a person moves the camera: drags, the wheel, keys, focus and bookmarks. No window in here;
// main thread.
#pragma once

#include <string>

#include "render/bookmarks.h"
#include "render/stage.h"

namespace render {

class CameraControl {
 public:
  // Both outlive it; the stage is ready when anything but the constructor is called.
  CameraControl(const Stage& stage, View& view) : stage_(stage), view_(view) {}

  // By hand: what eases is stopped. Pixels; height of the window in the same.
  void orbit(glm::vec2 drag_px, float height_px);
  void pan(glm::vec2 drag_px, float height_px);
  // cursor: normalised, -1..1, y down. Comes closer to the point of a tensor's sheet under it, to
  // the hovered node, or to what is there at the distance of the target.
  void zoom(float notches, glm::vec2 cursor, float aspect);
  // Keys that are held: (right, up, forward), and (right, up) around the target; each -1..1.
  void fly(glm::vec3 direction, float seconds);
  void turn(glm::vec2 direction, float seconds);

  // Eased, on centre.
  void home(float aspect);
  // What scene::named_pose() calls so; nothing where it knows no such view.
  void look(const std::string& view, float aspect);
  void focus();  // on the selected cell of a tensor, or node, if there is one
  // What was done, for the person: "bookmark 3 set".
  std::string set_bookmark(size_t number);
  std::string go_to_bookmark(size_t number);

  // Once a frame. True when the camera moved.
  bool advance(float seconds);

 private:
  Bookmarks& bookmarks();
  void go(const scene::Pose& pose);
  void by_hand();

  const Stage& stage_;
  View& view_;
  scene::Move move_;
  std::optional<Bookmarks> bookmarks_;  // once the model is known
  bool moved_ = false;
};

}  // namespace render
