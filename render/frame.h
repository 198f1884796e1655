// The renderer: the list of passes, top to bottom, and what they draw.
//
// One thread (main). The work per frame on the CPU does not grow with the model: nodes and steps
// are uploaded once, decay and travel are evaluated on the GPU from Frame.playhead. A picture is a
// pure function of (nodes, steps put, FrameInput): same input, same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "render/gpu/device.h"
#include "render/label.h"
#include "render/pick_result.h"
#include "render/target/target.h"
#include "shaders/shared.h"

struct ImDrawData;

namespace render {

enum class Quality {
  kFull,    // record, shot: 4x MSAA, bloom from half resolution; the same input, the same bytes
  kWindow,  // interactive: the scene gets fewer pixels, bolts and levels of bloom when frames take
            // too long (governor.h), and small bolts fewer segments; on a CPU device edges are
            // smoothed afterwards instead of MSAA, and bloom is cheaper
};

struct FrameInput {
  shaders::Frame frame{};  // viewport and element_count are filled in by draw()
  // The steps whose light can still be seen; those not put are skipped. first > last: none.
  uint64_t first_step = 1;
  uint64_t last_step = 0;
  std::span<const shaders::Line> lines{};  // under the labels
  std::span<const Label> labels{};
  // Pieces of tensors, placed from the eye along the world's axes.
  std::span<const shaders::TileQuad> tiles{};
  glm::mat4 clip_from_eye{1.0F};
  bool refine = false;               // nothing moves: take the time for all pixels and bolts
  bool all_bolts = false;            // leave none out, however long frames take
  ImDrawData* ui = nullptr;          // of the current ImGui context; null: no UI
  std::optional<glm::ivec2> pick{};  // pixel, from the top left: ask which node is there
};

struct PassTime {
  std::string name;
  double ms;
};

// What the newest frame was made of.
struct FrameStats {
  double record_ms = 0.0;  // on the CPU: preparing and recording; no waiting, no submitting
  uint32_t draw_calls = 0;
  uint32_t bolts = 0;  // handed to the GPU; forks among them
  // Without forks, of the newest frame that has retired: in the picture and lit, and of them those
  // that were drawn. They are the same at full quality.
  uint32_t bolts_lit = 0;
  uint32_t bolts_drawn = 0;
  VkExtent2D scene{};  // pixels the scene was rendered at; text and panels always have the target's
};

class Renderer {
 public:
  explicit Renderer(gpu::Device& device, Quality quality = Quality::kFull);
  ~Renderer();
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  // Replaces the whole scene: boxes, plates first; how the plates' cells lie; and how many things
  // have a light. Steps that were put refer to the old ones: call drop_steps() as well.
  void set_nodes(std::span<const shaders::Node> nodes, std::span<const shaders::Grid> grids,
                 uint32_t elements);

  // Uploads what happens during a step; a second call with the same step replaces it. When the
  // storage is full (kStepBytes in frame.cpp) the steps farthest from this one are forgotten:
  // ask has_step() before a step is drawn and put it again. Light.node must be < the number of
  // elements.
  void put_step(uint64_t step, std::span<const shaders::Light> lights,
                std::span<const shaders::Bolt> bolts);
  bool has_step(uint64_t step) const;
  void drop_steps();
  void drop_steps(uint64_t first, uint64_t last);

  // The texels of a slot of the tile atlas: kTileSide x kTileSide of (minimum, mean, maximum, 0).
  void put_tile(uint32_t slot, std::span<const glm::vec4> texels);
  // What the GPU has there. Blocks.
  std::vector<glm::vec4> read_tile(uint32_t slot);

  // Records and submits one frame. False: the target has nothing to draw on at the moment.
  bool draw(Target& target, const FrameInput& input);

  // Per element (light towards, light against), as of the newest frame. Blocks.
  std::vector<glm::vec2> read_lights();

  // The newest answer to FrameInput.pick that has arrived since the last call; a frame or two late.
  std::optional<PickResult> take_pick();
  // Asks and waits. viewport as drawn: the extent of the target.
  PickResult pick_now(const shaders::Frame& frame, glm::ivec2 pixel, glm::uvec2 viewport);

  // Textures for ImGui::Image: cast the id to ImTextureID. width * height * 4 bytes, RGBA8, rows
  // from the top, sampled as stored. A destroyed texture may still be used by frames in flight.
  // nearest: cells stay sharp when magnified.
  uintptr_t create_texture(uint32_t width, uint32_t height, std::span<const uint8_t> rgba,
                           bool nearest = false);
  void update_texture(uintptr_t id, std::span<const uint8_t> rgba);
  void destroy_texture(uintptr_t id);

  // GPU time of every pass of the newest frame that has retired; empty where the device cannot
  // tell.
  const std::vector<PassTime>& pass_times() const;
  // From the first pass to the last of that frame; 0 where the device cannot tell.
  double gpu_frame_ms() const;
  const FrameStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace render
