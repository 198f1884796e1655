#include "render/camera_control.h"

#include <algorithm>
#include <utility>

#include "render/scene/zoom.h"

namespace render {

namespace {

constexpr float kMoveSeconds = 0.9F;
constexpr float kFlight = 0.8F;    // of the distance a second
constexpr float kTurn = 420.0F;    // pixels of a drag a second
constexpr float kHeight = 720.0F;  // of the window that these pixels belong to

}  // namespace

void CameraControl::by_hand() {
  move_.stop();
  view_.camera.keep_near(stage_.layout().bounds(stage_.layout().columns()));
  moved_ = true;
}

void CameraControl::orbit(glm::vec2 drag_px, float height_px) {
  view_.camera.orbit(drag_px, height_px);
  by_hand();
}

void CameraControl::pan(glm::vec2 drag_px, float height_px) {
  view_.camera.pan(drag_px, height_px);
  by_hand();
}

void CameraControl::zoom(float notches, glm::vec2 cursor, float aspect) {
  scene::Camera& camera = view_.camera;
  float depth = camera.pose.distance;
  if (const auto hit = stage_.tensors().under(cursor)) {
    const glm::dvec3 at = camera.exact_eye() + stage_.tensors().ray(cursor) * hit->distance;
    camera.zoom(notches, glm::vec3(at));
    return by_hand();
  }
  if (view_.hovered != 0) {
    const glm::vec3 at = stage_.where(view_.hovered - 1, view_.playhead);
    depth = std::max(glm::dot(at - camera.eye(), camera.forward()), 0.05F * depth);
  }
  camera.zoom(notches, camera.under(cursor, aspect, depth));
  by_hand();
}

void CameraControl::fly(glm::vec3 direction, float seconds) {
  if (direction == glm::vec3(0.0F)) return;
  view_.camera.fly(direction * std::min(seconds, 0.1F) * kFlight);
  by_hand();
}

void CameraControl::turn(glm::vec2 direction, float seconds) {
  if (direction == glm::vec2(0.0F)) return;
  view_.camera.orbit(glm::vec2(-direction.x, direction.y) * std::min(seconds, 0.1F) * kTurn,
                     kHeight);
  by_hand();
}

void CameraControl::go(const scene::Pose& pose) {
  scene::Camera there{pose};
  there.keep_near(stage_.layout().bounds(stage_.layout().columns()));
  if (view_.look.reduced_motion) {
    view_.camera.pose = there.pose;
    return by_hand();
  }
  move_.start(view_.camera.pose, there.pose, kMoveSeconds);
}

void CameraControl::home(float aspect) {
  go(scene::home_pose(stage_.layout(), stage_.columns_in_view(), aspect));
}

void CameraControl::look(const std::string& view, float aspect) {
  const float now = stage_.now(view_.playhead, view_.merge, false);
  const auto pose = scene::named_pose(view, stage_.layout(), stage_.columns_in_view(), aspect, now);
  if (pose) go(*pose);
}

void CameraControl::focus() {
  if (view_.selected_cell) {
    constexpr float kAspect = 16.0F / 9.0F;
    return go(scene::cell_pose(stage_.layout(), *view_.selected_cell, kAspect));
  }
  if (view_.selected == 0) return;
  const uint32_t node = view_.selected - 1;
  go(scene::focus_pose(view_.camera.pose, stage_.layout().node(node),
                       stage_.where(node, view_.playhead)));
}

Bookmarks& CameraControl::bookmarks() {
  if (!bookmarks_) bookmarks_.emplace(bookmarks_path(stage_.layout().model().weights_hash));
  return *bookmarks_;
}

std::string CameraControl::set_bookmark(size_t number) {
  const bool kept = bookmarks().set(number, view_.camera.pose);
  return "bookmark " + std::to_string(number) +
         (kept ? " set"
               : " set until the program ends: " + bookmarks().path() + " cannot be written");
}

std::string CameraControl::go_to_bookmark(size_t number) {
  const auto& pose = bookmarks().get(number);
  const std::string name = std::to_string(number);
  if (!pose) return "there is no bookmark " + name + "; Ctrl+" + name + " sets it";
  go(*pose);
  return "bookmark " + name;
}

bool CameraControl::advance(float seconds) {
  if (move_.running()) {
    view_.camera.pose = move_.advance(seconds);
    moved_ = true;
  }
  return std::exchange(moved_, false);
}

}  // namespace render
