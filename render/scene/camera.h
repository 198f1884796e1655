// An orbit camera: what it looks at, from where, and how it moves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <glm/glm.hpp>

#include "render/scene/layout.h"

namespace scene {

struct Pose {
  glm::vec3 target{0.0F};  // world units
  float yaw = 0.0F;        // radians around +y; 0 looks from the front (+z), negative from the left
  float pitch = 0.0F;      // radians, positive from above
  float distance = 10.0F;  // world units from the target
};

// Straight between two poses: target, shortest arc of the angles, log distance. t in 0..1.
Pose blend(const Pose& a, const Pose& b, float t);

// "yaw,pitch,distance,x,y,z" in degrees and world units; the last three may be missing, then the
// target stays as it is in `otherwise`. Nothing when it is not that.
std::optional<Pose> parse_pose(std::string_view text, const Pose& otherwise = {});
std::string pose_text(const Pose& pose);

class Camera {
 public:
  static constexpr float kFovY = 0.62F;  // radians

  Pose pose;

  glm::vec3 eye() const;
  glm::vec3 forward() const { return -backward(); }
  glm::mat4 view_from_world() const;
  // Vulkan's clip space: y down, depth 0 near .. 1 far. aspect: width / height.
  glm::mat4 clip_from_world(float aspect) const;
  // The same from the eye, along the world's axes, for what is placed in double precision.
  glm::mat4 clip_from_eye(float aspect) const;
  glm::dvec3 exact_eye() const;
  // World point under the cursor (normalised, -1..1, y down) at this depth before the eye.
  glm::vec3 under(glm::vec2 cursor, float aspect, float depth) const;

  // Pixels dragged; viewport height in pixels.
  void orbit(glm::vec2 drag_px, float height_px);
  void pan(glm::vec2 drag_px, float height_px);
  // notches > 0 comes closer to `point`, which keeps its place on the screen.
  void zoom(float notches, glm::vec3 point);
  // In the camera's own directions, as a share of the distance.
  void fly(glm::vec3 step);
  // Stays where something can be seen: the target within the box and a margin, the distance within
  // a few times its size.
  void keep_near(const Box& box);

 private:
  glm::vec3 backward() const;
};

// How large words are in a frame of this size, 1 in one of 1280x720: as its height has it, in a
// narrow one its width, so that the legend leaves room for the scene.
float words_scale(glm::vec2 frame_px);

// From the front left, the whole box in the frame, of a narrow one in what the legend and the
// text leave free. aspect: width / height of the frame.
Pose home_pose(const Box& box, float aspect);
// The same for the newest `columns` of a scene, and the bars at the crown beside or below the
// legend, which covers a picture's upper left.
Pose home_pose(const Layout& layout, uint32_t columns, float aspect);
// Closer on one node, from where the camera is now.
Pose focus_pose(const Pose& now, const shaders::Node& node, glm::vec3 where);

// The views that --camera names: "home", "front", "left", "right", "back", "top", "close", "crown",
// "tape", a node or a storey as scene/node_path.h names them, or what parse_pose() reads. now:
// column at the front. of: the layer that "close" looks at; none: the one half-way up. Nothing when
// it is none of them.
std::optional<Pose> named_pose(const std::string& name, const Layout& layout, uint32_t columns,
                               float aspect, float now = 0.0F, std::optional<uint32_t> of = {});

// A camera's ease from one pose to another, as time goes on.
class Move {
 public:
  void start(const Pose& from, const Pose& to, float seconds);
  void stop() { left_ = 0.0F; }
  bool running() const { return left_ > 0.0F; }
  Pose advance(float seconds);

 private:
  Pose from_, to_;
  float length_ = 0.0F;
  float left_ = 0.0F;
};

}  // namespace scene
