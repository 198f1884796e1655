#include "render/scene/camera.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <vector>

#include <glm/gtc/matrix_transform.hpp>

#include "render/scene/node_path.h"

namespace scene {

namespace {

constexpr float kPi = 3.14159265F;
constexpr float kClosest = 1e-4F;    // a cell of a matrix of ten thousand columns fills the frame
constexpr float kFarthest = 2e4F;    // the largest models in true proportions fit
constexpr float kNarrow = 1.25F;     // frames in which words are as large as the width allows
constexpr float kMostRight = 0.84F;  // in clip space: labels stand beyond

float ease(float t) {
  return t * t * t * (t * (t * 6.0F - 15.0F) + 10.0F);
}

float clamp_pitch(float pitch) {
  return std::clamp(pitch, -1.5F, 1.55F);
}

}  // namespace

Pose blend(const Pose& a, const Pose& b, float t) {
  Pose p;
  // The target moves as the distance does, so that what one flies to stays in the frame.
  const float far = std::abs(a.distance - b.distance);
  const float d = a.distance * std::pow(b.distance / a.distance, t);
  const float moved = far > 0.02F * a.distance ? (a.distance - d) / (a.distance - b.distance) : t;
  p.target = glm::mix(a.target, b.target, moved);
  p.yaw = a.yaw + std::remainder(b.yaw - a.yaw, 2.0F * kPi) * t;
  p.pitch = a.pitch + (b.pitch - a.pitch) * t;
  p.distance = d;
  return p;
}

glm::vec3 Camera::backward() const {
  return {std::sin(pose.yaw) * std::cos(pose.pitch), std::sin(pose.pitch),
          std::cos(pose.yaw) * std::cos(pose.pitch)};
}

glm::vec3 Camera::eye() const {
  return pose.target + backward() * pose.distance;
}

glm::mat4 Camera::view_from_world() const {
  // Turned by the angles: so near that eye and target are hardly different numbers, too.
  return glm::translate(glm::lookAt(glm::vec3(0.0F), -backward(), glm::vec3(0.0F, 1.0F, 0.0F)),
                        -eye());
}

glm::mat4 Camera::clip_from_world(float aspect) const {
  return glm::mat4(glm::translate(glm::dmat4(clip_from_eye(aspect)), -exact_eye()));
}

glm::mat4 Camera::clip_from_eye(float aspect) const {
  const float near = std::max(pose.distance * 0.03F, 1e-6F);
  glm::mat4 clip_from_view =
      glm::perspectiveRH_ZO(kFovY, aspect, near, pose.distance * 6.0F + 120.0F);
  clip_from_view[1][1] *= -1.0F;
  return clip_from_view * glm::lookAt(glm::vec3(0.0F), -backward(), glm::vec3(0.0F, 1.0F, 0.0F));
}

glm::dvec3 Camera::exact_eye() const {
  const double yaw = double{pose.yaw};
  const double pitch = double{pose.pitch};
  const glm::dvec3 back(std::sin(yaw) * std::cos(pitch), std::sin(pitch),
                        std::cos(yaw) * std::cos(pitch));
  return glm::dvec3(pose.target) + back * double{pose.distance};
}

void Camera::orbit(glm::vec2 drag_px, float height_px) {
  pose.yaw = std::remainder(pose.yaw - drag_px.x / height_px * kPi, 2.0F * kPi);
  pose.pitch = clamp_pitch(pose.pitch + drag_px.y / height_px * kPi);
}

void Camera::pan(glm::vec2 drag_px, float height_px) {
  const glm::mat4 view = view_from_world();
  const glm::vec3 right(view[0][0], view[1][0], view[2][0]);
  const glm::vec3 up(view[0][1], view[1][1], view[2][1]);
  const float world_per_px = 2.0F * pose.distance * std::tan(kFovY * 0.5F) / height_px;
  pose.target += (up * drag_px.y - right * drag_px.x) * world_per_px;
}

glm::vec3 Camera::under(glm::vec2 cursor, float aspect, float depth) const {
  const glm::mat4 view = view_from_world();
  const glm::vec3 right(view[0][0], view[1][0], view[2][0]);
  const glm::vec3 up(view[0][1], view[1][1], view[2][1]);
  const float half = std::tan(kFovY * 0.5F) * depth;
  return eye() + forward() * depth + right * (cursor.x * half * aspect) - up * (cursor.y * half);
}

void Camera::zoom(float notches, glm::vec3 point) {
  const float before = pose.distance;
  pose.distance = std::clamp(before * std::pow(0.88F, notches), kClosest, kFarthest);
  // Eye and target shrink towards the point alike, so that it stays where it is seen.
  pose.target = point + (pose.target - point) * (pose.distance / before);
}

void Camera::fly(glm::vec3 step) {
  const glm::mat4 view = view_from_world();
  const glm::vec3 right(view[0][0], view[1][0], view[2][0]);
  const glm::vec3 up(view[0][1], view[1][1], view[2][1]);
  pose.target += (right * step.x + up * step.y - backward() * step.z) * pose.distance;
}

void Camera::keep_near(const Box& box) {
  const float size = std::max(glm::length(box.half_size), 1.0F);
  const glm::vec3 reach = box.half_size + 0.5F + 0.15F * size;
  pose.target = glm::clamp(pose.target, box.center - reach, box.center + reach);
  pose.distance = std::clamp(pose.distance, kClosest, std::min(8.0F * size, kFarthest));
  pose.pitch = clamp_pitch(pose.pitch);
}

namespace {

// A part of the frame, in clip space (y down).
struct Part {
  glm::vec2 low{-1.0F};
  glm::vec2 high{1.0F};
};

// What the words of a picture cover, as shares of it: the legend its upper left, the text a strip
// at its bottom. As large as ui/panel_legend.cpp and ui/panel_text.cpp make them without switches.
struct Words {
  explicit Words(float aspect) {
    const float scale = std::min(aspect / kNarrow, 1.0F);
    legend = {0.62F * scale / aspect, 0.575F * scale};
    text_top = 1.0F - 0.1F * scale;
  }
  glm::vec2 legend;  // its right and its lower edge
  float text_top;
};

// From the front left, every corner of the box in this part of the frame, with a margin for labels.
Pose fit(const Box& box, float aspect, const Part& part) {
  const glm::vec2 middle = 0.5F * (part.low + part.high);
  const glm::vec2 half = 0.5F * (part.high - part.low);
  Pose p;
  // A row of models is looked at more from the front.
  p.yaw = -0.47F * std::clamp(box.half_size.y * aspect / box.half_size.x, 0.4F, 1.0F);
  p.pitch = 0.2F;
  p.target = box.center;
  Camera camera;
  float distance = 1.0F;
  float half_width = 1.0F;  // of the box, as a share of the frame's
  for (int pass = 0; pass < 24; ++pass) {
    p.distance = distance;
    camera.pose = p;
    const glm::mat4 clip = camera.clip_from_world(aspect);
    glm::vec2 low(1e9F);
    glm::vec2 high(-1e9F);
    bool behind = false;
    for (int corner = 0; corner < 8; ++corner) {
      const glm::vec3 sign((corner & 1) != 0 ? 1.0F : -1.0F, (corner & 2) != 0 ? 1.0F : -1.0F,
                           (corner & 4) != 0 ? 1.0F : -1.0F);
      const glm::vec4 at = clip * glm::vec4(box.center + box.half_size * sign, 1.0F);
      if (at.w <= 0.01F) behind = true;
      low = glm::min(low, glm::vec2(at) / at.w);
      high = glm::max(high, glm::vec2(at) / at.w);
    }
    if (!behind) {
      camera.pan((middle - (low + high) * 0.5F) * glm::vec2(aspect, 1.0F) * 0.5F, 1.0F);
      p.target = camera.pose.target;
      const glm::vec2 extents = (high - low) * 0.5F / half;
      const float extent = std::max(extents.x, extents.y);
      distance *= std::clamp(extent / 0.95F, 0.5F, 2.0F);
      half_width = (high.x - low.x) * 0.5F;
    } else {
      distance *= 1.5F;
    }
  }
  p.distance = std::clamp(distance, kClosest, kFarthest);
  // To the right as far as there is room beside the labels there: words stand on the left.
  constexpr float kWords = 0.32F;  // shares of half a frame
  constexpr float kLabels = 0.16F;
  const float room = std::max(part.high.x - middle.x - half_width - kLabels, 0.0F);
  const float moved = std::min(std::max(aspect - 1.0F, 0.0F) / aspect * kWords, room);
  camera.pose = p;
  camera.pan({moved * aspect * 0.5F, 0.0F}, 1.0F);
  p.target = camera.pose.target;
  return p;
}

// In what the words leave free: beside or below them, wherever it is larger.
Pose fit_clear_of_words(const Box& box, float aspect) {
  const Words words(aspect);
  const glm::vec2 low = 2.0F * words.legend - 1.0F;
  const glm::vec2 high(aspect < kNarrow ? 1.0F : kMostRight, 2.0F * words.text_top - 1.0F);
  const Pose below = fit(box, aspect, {{-1.0F, low.y}, high});
  const Pose beside = fit(box, aspect, {{low.x, -1.0F}, high});
  return below.distance < beside.distance ? below : beside;
}

}  // namespace

float words_scale(glm::vec2 frame_px) {
  return std::min(frame_px.y, frame_px.x / kNarrow) / 720.0F;
}

Pose home_pose(const Box& box, float aspect) {
  return aspect < kNarrow ? fit_clear_of_words(box, aspect) : fit(box, aspect, {});
}

Pose focus_pose(const Pose& now, const shaders::Node& node, glm::vec3 where) {
  Pose p = now;
  p.target = where;
  p.distance = std::clamp(glm::length(node.half_size) * 9.0F, 0.02F, 6.0F);
  return p;
}

namespace {

// The rightmost of these points, in clip space.
float rightmost(const Camera& camera, std::span<const glm::vec3> points, float aspect) {
  float right = -1.0F;
  for (const glm::vec3& at : points) {
    const glm::vec4 clip = camera.clip_from_world(aspect) * glm::vec4(at, 1.0F);
    right = std::max(right, clip.x / clip.w);
  }
  return right;
}

// Moves the camera until what of these boxes would stand behind the legend stands beside it. These
// points move as far right as `most_right` meanwhile, in clip space; from there on everything
// becomes smaller.
Pose beside_legend(const Pose& pose, std::span<const Box> boxes, std::span<const glm::vec3> rights,
                   float most_right, float aspect) {
  const Words words(aspect);
  const float legend = 2.0F * words.legend.x - 1.0F;
  const float legend_ends = 1.0F - 2.0F * words.legend.y;  // below, upwards
  constexpr int kPasses = 24;
  Camera camera{pose};
  for (int pass = 0; pass < kPasses; ++pass) {
    const glm::mat4 world = camera.clip_from_world(aspect);
    const auto seen = [&](glm::vec3 at) {
      const glm::vec4 clip = world * glm::vec4(at, 1.0F);
      return glm::vec2(clip.x, -clip.y) / clip.w;
    };
    float hidden = 0.0F;
    for (const Box& box : boxes) {
      for (const float side : {-1.0F, 1.0F}) {
        const glm::vec3 low = box.center + glm::vec3(side, -1.0F, 0.0F) * box.half_size;
        const glm::vec2 at = seen(low);
        const float top = seen(low + glm::vec3(0.0F, 2.0F * box.half_size.y, 0.0F)).y;
        if (top >= legend_ends && at.y <= 1.0F) hidden = std::max(hidden, legend - at.x);
      }
    }
    if (hidden <= 0.0F) break;
    const float room = std::max(most_right - rightmost(camera, rights, aspect), 0.0F);
    camera.pan({0.5F * aspect * std::min(hidden, room), 0.0F}, 1.0F);
    if (room < hidden) camera.pose.distance *= 1.05F;
  }
  return camera.pose;
}

// From the front: room for the labels beside the FFN wing.
Pose beside_legend(const Pose& pose, const Layout& layout, std::span<const Box> lefts,
                   float aspect) {
  const std::array rights = {glm::vec3(layout.ffn_right(), pose.target.y, 0.0F)};
  return beside_legend(pose, lefts, rights, kMostRight, aspect);
}

// From the back: the plates, and the shelves as far as the past is looked at.
Pose back_beside_legend(const Pose& pose, const Layout& layout, uint32_t columns, float aspect) {
  std::vector<Box> plates;
  for (uint32_t l = 0; l < layout.model().layers; ++l) plates.push_back(layout.ffn_plate(l));
  const float past = shaders::past_z(static_cast<float>(std::min(columns, layout.columns())));
  std::vector<glm::vec3> rights;
  for (const float y : {0.0F, layout.crown_y()}) {
    rights.emplace_back(layout.attention_left(), y, 0.0F);
    rights.emplace_back(layout.attention_left(), y, past);
  }
  constexpr float kWhole = 0.97F;
  Camera camera{beside_legend(pose, plates, rights, kWhole, aspect)};
  constexpr int kPasses = 24;
  for (int pass = 0; pass < kPasses && rightmost(camera, rights, aspect) > kWhole; ++pass)
    camera.pose.distance *= 1.05F;
  return camera.pose;
}

// The whole box, and of these nothing behind the legend.
Pose clear_pose(const Box& box, const Layout& layout, std::span<const Box> lefts, float aspect) {
  if (layout.subjects() > 1) return fit_clear_of_words(box, aspect);
  const Pose apart = home_pose(box, aspect);
  const Pose beside = beside_legend(fit(box, aspect, {}), layout, lefts, aspect);
  return aspect < kNarrow && apart.distance < beside.distance ? apart : beside;
}

// As high as it can be.
Box full(const Layout& layout, uint32_t element) {
  const shaders::Node node = layout.node(element);
  const glm::vec3 rise(0.0F, 0.5F * node.grow, 0.0F);
  return {node.center + rise, node.half_size + rise};
}

// From the front: the likeliest bar and the leftmost heads.
std::vector<Box> left_of(const Layout& layout) {
  std::vector<Box> lefts = {full(layout, layout.candidate(0))};
  const auto& m = layout.model();
  for (uint32_t l = 0; m.heads > 0 && l < m.layers; ++l)
    lefts.push_back(full(layout, layout.head(l, m.heads - 1)));
  return lefts;
}

}  // namespace

Pose home_pose(const Layout& layout, uint32_t columns, float aspect) {
  return clear_pose(layout.bounds(columns), layout, left_of(layout), aspect);
}

std::optional<Pose> named_pose(const std::string& name, const Layout& layout, uint32_t columns,
                               float aspect, float now, std::optional<uint32_t> of) {
  const Box box = layout.bounds(columns);
  if (name.empty() || name == "home") return home_pose(layout, columns, aspect);
  Pose p = home_pose(box, aspect);
  const auto turned = [&](float yaw, float pitch) {
    p.yaw = yaw;
    p.pitch = pitch;
    return p;
  };
  if (name == "front") {
    p.distance *= 1.08F;  // the whole height of a bar
    p = turned(0.0F, 0.06F);
    if (aspect < kNarrow || layout.subjects() > 1) return p;
    return beside_legend(p, layout, left_of(layout), aspect);
  }
  if (name == "left") return turned(-1.25F, 0.18F);
  if (name == "right" || name == "back") {
    // The crown is beside the legend, not behind it.
    Camera camera{name == "right" ? turned(0.9F, 0.18F) : turned(kPi - 0.5F, 0.25F)};
    camera.pan({0.09F * aspect, 0.0F}, 1.0F);
    if (name == "right" || aspect < kNarrow || layout.subjects() > 1) return camera.pose;
    return back_beside_legend(camera.pose, layout, columns, aspect);
  }
  if (name == "top") return turned(-0.3F, 1.1F);
  if (name == "close") {
    // Near enough to see single reads.
    const uint32_t storey = of.value_or(layout.model().layers / 2);
    p.target = {-0.6F, layout.storey_y(storey) + layout.pitch() * 0.6F, 0.0F};
    p.yaw = -0.38F;
    p.distance = 6.2F;
    return p;
  }
  if (name == "crown") {
    // From a little above, so that the words under the bars stand before the floor of the top
    // layer; and beside the legend.
    p.target = {0.0F, layout.crown_y() + 0.5F, 0.9F};
    p.yaw = -0.2F;
    p.pitch = 0.26F;
    p.distance = 9.4F / std::min(aspect, 1.6F) * 1.6F;
    Camera camera{p};
    if (aspect < kNarrow) {
      camera.pan({0.0F, 0.5F * Words(aspect).legend.y}, 1.0F);
      return camera.pose;
    }
    constexpr float kAside = 0.3022F;  // of the frame's height, to the right
    camera.pan({kAside, 0.0F}, 1.0F);
    return beside_legend(camera.pose, layout, std::array{full(layout, layout.candidate(0))},
                         aspect);
  }
  if (name == "tape") {
    p.target = layout.box_of(layout.tape(0), now).center;
    p.target.z = shaders::past_z(3.0F);
    p.yaw = 0.35F;
    p.pitch = 0.5F;
    p.distance = 4.4F;
    return p;
  }
  if (const auto node = find_node(name, layout)) {
    return focus_pose(p, layout.node(*node), layout.box_of(*node, now).center);
  }
  if (const auto storey = find_storey(name, layout)) {
    Box one = box;
    one.center.y = layout.storey_y(*storey) + 0.5F * layout.pitch();
    one.half_size.y = 0.5F * layout.pitch();
    const uint32_t heads = layout.model().heads;
    if (heads == 0) return home_pose(one, aspect);
    // Reads arc up to the storey above.
    const uint32_t above = std::min(*storey + 1, layout.model().layers - 1);
    const std::array left = {full(layout, layout.head(*storey, heads - 1)),
                             full(layout, layout.head(above, heads - 1))};
    return clear_pose(one, layout, left, aspect);
  }
  return parse_pose(name, p);
}

std::optional<Pose> parse_pose(std::string_view text, const Pose& otherwise) {
  std::array<float, 6> numbers{};
  size_t n = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto blanks = [&] {
    while (at != end && (*at == ' ' || *at == '\t')) ++at;
  };
  for (;;) {
    blanks();
    if (at != end && *at == '+') ++at;
    if (n == numbers.size()) return {};
    const auto [rest, error] = std::from_chars(at, end, numbers[n]);
    if (error != std::errc() || !(std::abs(numbers[n]) <= 1e6F)) return {};
    ++n;
    at = rest;
    blanks();
    if (at == end) break;
    if (*at++ != ',') return {};
  }
  if (n != 3 && n != 6) return {};
  Pose p = otherwise;
  p.yaw = std::remainder(numbers[0] * kPi / 180.0F, 2.0F * kPi);
  p.pitch = clamp_pitch(numbers[1] * kPi / 180.0F);
  p.distance = std::clamp(numbers[2], kClosest, kFarthest);
  if (n == 6) p.target = {numbers[3], numbers[4], numbers[5]};
  return p;
}

std::string pose_text(const Pose& pose) {
  constexpr float kDegrees = 180.0F / kPi;
  std::string text;
  for (const float number : {pose.yaw * kDegrees, pose.pitch * kDegrees, pose.distance,
                             pose.target.x, pose.target.y, pose.target.z}) {
    std::array<char, 32> digits{};
    const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    if (!text.empty()) text += ',';
    text.append(digits.data(), result.ptr);
  }
  return text;
}

void Move::start(const Pose& from, const Pose& to, float seconds) {
  from_ = from;
  to_ = to;
  length_ = left_ = seconds;
}

Pose Move::advance(float seconds) {
  left_ = std::max(left_ - seconds, 0.0F);
  return blend(from_, to_, length_ > 0.0F ? ease(1.0F - left_ / length_) : 1.0F);
}

}  // namespace scene
