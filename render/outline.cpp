#include "render/outline.h"

#include <algorithm>

#include "render/scene/dependency.h"
#include "render/scene/quantities.h"

namespace render {

namespace {

class Outliner {
 public:
  Outliner(const OutlineInput& in, std::vector<shaders::Line>& lines) : in_(in), lines_(lines) {}

  void element(uint32_t element, float width, uint32_t rgba) {
    outline_box(risen(element), in_.clip_from_world, in_.eye, in_.viewport, width * in_.width_px,
                rgba, lines_);
  }

  // What it was computed from, each with a thread to it; the stronger, the clearer.
  void sources(uint32_t element_of) {
    const scene::Subject& subject = whose(element_of);
    const std::optional<size_t> step = step_of(element_of);
    if (!step) return;
    const glm::vec3 to = risen(element_of).center;
    std::vector<scene::Source> all =
        scene::sources_of(*subject.reader, *subject.layout,
                          subject.layout->ref(subject.own(element_of)), *step, kMostSources);
    for (scene::Source& source : all) source.element += subject.first_element;
    float most = 1e-6F;  // of those that are terms of one sum; what is whole is 1
    for (const scene::Source& source : all) {
      if (source.weight < 1.0F) most = std::max(most, source.weight);
    }
    for (const scene::Source& source : all) {
      const shaders::Node node = in_.layout.node(source.element);
      const float strength = std::min(source.weight / most, 1.0F);
      if (strength < 0.05F) continue;
      const uint32_t rgba = channel_rgba(in_.palette, node.channel);
      element(source.element, 0.8F, scene::faded(rgba, 0.25F + 0.75F * strength));
      line(risen(source.element).center, to, 0.55F, scene::faded(rgba, 0.1F + 0.5F * strength));
    }
  }

  // Along the middle of its path: shaders/bolts.vert wanders around it.
  void bolt(const shaders::Bolt& bolt, float width) {
    constexpr int kPieces = 24;
    const auto placed = [&](glm::vec3 at, float column) {
      if (column >= 0.0F) at.z = shaders::past_z(in_.now - column);
      return at;
    };
    const glm::vec3 from = placed(bolt.from, bolt.from_column);
    const glm::vec3 to = placed(bolt.to, bolt.to_column);
    const auto on_path = [&](int i) {
      const float t = static_cast<float>(i) / kPieces;
      return glm::mix(from, to, t) + glm::vec3(0.0F, bolt.arc * 4.0F * t * (1.0F - t), 0.0F);
    };
    for (int i = 0; i < kPieces; ++i) {
      line(on_path(i), on_path(i + 1), width, scene::faded(in_.palette.text, 0.75F));
    }
    const uint32_t ends = scene::faded(in_.palette.text, 0.8F);
    element(bolt.from_node, 0.8F, ends);
    element(bolt.to_node, 0.8F, ends);
  }

 private:
  const scene::Subject& whose(uint32_t element) const {
    return in_.subjects[in_.layout.ref(element).subject];
  }

  std::optional<size_t> step_of(uint32_t element) const {
    return at_crown(in_.layout.ref(element).kind) ? in_.crown_step : in_.step;
  }

  scene::Box risen(uint32_t element) const {
    return scene::risen_box(in_.layout, element, in_.now, *whose(element).reader, in_.crown_step);
  }

  void line(glm::vec3 from, glm::vec3 to, float width, uint32_t rgba) {
    add_line(in_.clip_from_world * glm::vec4(from, 1.0F), in_.clip_from_world * glm::vec4(to, 1.0F),
             in_.viewport, std::max(width * in_.width_px, 1.0F), rgba, lines_);
  }

  const OutlineInput& in_;
  std::vector<shaders::Line>& lines_;
};

}  // namespace

void add_line(glm::dvec4 from, glm::dvec4 to, glm::vec2 viewport, float width_px, uint32_t rgba,
              std::vector<shaders::Line>& lines) {
  // The near plane: z = 0 in Vulkan's clip space.
  if (from.z < 0.0 && to.z < 0.0) return;
  if (from.z < 0.0) from = glm::mix(from, to, from.z / (from.z - to.z));
  if (to.z < 0.0) to = glm::mix(to, from, to.z / (to.z - from.z));
  if (!(from.w > 1e-9) || !(to.w > 1e-9)) return;
  const auto px = [&](const glm::dvec4& clip) {
    return glm::vec2(glm::dvec2(clip) / clip.w * 0.5 + 0.5) * viewport;
  };
  lines.push_back({.from = px(from), .to = px(to), .width = width_px, .rgba = rgba});
}

void outline_box(const scene::Box& box, const glm::mat4& clip_from_world, glm::vec3 eye,
                 glm::vec2 viewport, float width_px, uint32_t rgba,
                 std::vector<shaders::Line>& lines) {
  // A little outside, so that the line surrounds the box and is never less than some pixels.
  const float w = (clip_from_world * glm::vec4(box.center, 1.0F)).w;
  const glm::vec3 row(clip_from_world[0][1], clip_from_world[1][1], clip_from_world[2][1]);
  const float world_per_px = std::max(w, 0.0F) / (glm::length(row) * 0.5F * viewport.y);
  const glm::vec3 half = box.half_size + (0.5F * width_px + 0.5F) * world_per_px;
  const glm::vec3 off = eye - box.center;
  const auto corner = [&](int bits) {
    const glm::vec3 sign((bits & 1) != 0 ? 1.0F : -1.0F, (bits & 2) != 0 ? 1.0F : -1.0F,
                         (bits & 4) != 0 ? 1.0F : -1.0F);
    return clip_from_world * glm::vec4(box.center + half * sign, 1.0F);
  };
  // A face is seen when the eye is beyond it.
  const auto seen = [&](int axis, int bits) {
    return ((bits >> axis) & 1) != 0 ? off[axis] > half[axis] : off[axis] < -half[axis];
  };
  for (int axis = 0; axis < 3; ++axis) {
    const int u = (axis + 1) % 3;
    const int v = (axis + 2) % 3;
    for (int side = 0; side < 4; ++side) {
      const int bits = ((side & 1) << u) | ((side >> 1) << v);
      if (!seen(u, bits) && !seen(v, bits)) continue;
      add_line(corner(bits), corner(bits | 1 << axis), viewport, width_px, rgba, lines);
    }
  }
}

void add_outlines(const OutlineInput& input, std::vector<shaders::Line>& lines) {
  Outliner outliner(input, lines);
  if (input.hovered != 0 && input.hovered != input.selected) {
    outliner.sources(input.hovered - 1);
    outliner.element(input.hovered - 1, 1.0F, scene::faded(input.palette.text, 0.85F));
  }
  if (input.selected != 0) {
    if (input.hovered == 0 || input.hovered == input.selected) outliner.sources(input.selected - 1);
    outliner.element(input.selected - 1, 1.5F, input.palette.text);
  }
  if (input.hovered_bolt) outliner.bolt(*input.hovered_bolt, 0.8F);
  if (input.selected_bolt) outliner.bolt(*input.selected_bolt, 1.2F);
}

}  // namespace render
