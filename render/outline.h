// Outlines over the picture: of what is hovered and selected, and of what it was computed from.
// Lines of constant width on the screen, seen through whatever is in front, in both themes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <glm/glm.hpp>

#include "render/scene/palette.h"
#include "render/scene/subject.h"
#include "shaders/shared.h"

namespace render {

struct OutlineInput {
  std::span<const scene::Subject> subjects;  // each with its trace; the first is the layout's first
  const scene::Layout& layout;
  const scene::Palette& palette;
  size_t step = 0;                     // whose numbers count
  std::optional<size_t> crown_step{};  // the same of the bars at the crown, which stand longer
  float now = 0.0F;                    // column at the front
  glm::mat4 clip_from_world{1.0F};
  glm::vec3 eye{0.0F};
  glm::vec2 viewport{1.0F};  // pixels
  float width_px = 1.5F;
  uint32_t hovered = 0;   // element + 1; 0: none
  uint32_t selected = 0;  // the same
  std::optional<shaders::Bolt> hovered_bolt{};
  std::optional<shaders::Bolt> selected_bolt{};
};

// Sources of an element that are outlined at most, the strongest.
inline constexpr size_t kMostSources = 32;

void add_outlines(const OutlineInput& input, std::vector<shaders::Line>& lines);

// A straight line between two points of clip space, cut where it passes the eye.
void add_line(glm::dvec4 from, glm::dvec4 to, glm::vec2 viewport, float width_px, uint32_t rgba,
              std::vector<shaders::Line>& lines);

// The edges of a box that can be seen from the eye, cut where they pass it; nine at most.
void outline_box(const scene::Box& box, const glm::mat4& clip_from_world, glm::vec3 eye,
                 glm::vec2 viewport, float width_px, uint32_t rgba,
                 std::vector<shaders::Line>& lines);

}  // namespace render
