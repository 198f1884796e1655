// The picture as a pure function of (trace, playhead, camera, look): what a window, a
// recording, a still and a test all call.
#pragma once

#include <memory>
#include <optional>

#include "engine/trace/reader.h"
#include "render/frame.h"
#include "render/scene/camera.h"
#include "render/scene/layout.h"
#include "render/scene/palette.h"

namespace render {

// What the person watching has chosen.
struct Look {
  scene::Theme theme = scene::Theme::kDark;
  std::array<float, shaders::kChannelCount> gain = {1, 1, 1, 1,
                                                    1, 1, 1, 1};  // 0 switches a channel off
  float exposure = 1.0F;
  float bloom = 0.55F;
  bool reduced_motion = false;
  bool labels = true;
  float scale = 1.0F;  // of text and panels
};

struct View {
  double playhead = 0.0;  // steps
  double pace = 1.0;      // steps a second, so that no light is shorter than 400 ms
  scene::Camera camera;
  Look look;
  uint32_t hovered = 0;  // node index + 1; 0: none
  uint32_t selected = 0;
  ImDrawData* ui = nullptr;
  std::optional<glm::ivec2> pick{};
};

// What the newest frame took on the CPU before it was recorded, ms.
struct StageTimes {
  double choreography_ms = 0.0;  // steps that came into sight -> lights and bolts, handed over
  double labels_ms = 0.0;
};

// Main thread.
class Stage {
 public:
  Stage(gpu::Device& device, trace::Log& log, Quality quality);

  // Takes in what is new in the trace. True when the picture may have changed.
  bool poll();

  // False until the trace has described its model; nothing can be drawn before.
  bool ready() const { return layout_ != nullptr; }
  const trace::Reader& reader() const { return reader_; }
  const scene::Layout& layout() const { return *layout_; }
  Renderer& renderer() { return renderer_; }
  const Renderer& renderer() const { return renderer_; }

  // Columns that a home view should take in: what there is so far, within reason.
  uint32_t columns_in_view() const;
  // Where a node is drawn at this playhead.
  glm::vec3 where(uint32_t node, double playhead) const;

  // False: the target had nothing to draw on.
  bool draw(Target& target, const View& view);
  shaders::Frame frame(const View& view, glm::vec2 viewport) const;
  const StageTimes& times() const { return times_; }

 private:
  void upload(uint64_t first_step, uint64_t last_step);

  trace::Reader reader_;
  Renderer renderer_;
  std::unique_ptr<scene::Layout> layout_;
  uint64_t conversation_ = 0;
  StageTimes times_;
};

}  // namespace render
