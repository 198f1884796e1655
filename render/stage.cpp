#include "render/stage.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "render/labels.h"
#include "render/scene/choreography.h"

namespace render {

namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

constexpr double kShortestLife = 0.4;  // seconds: safe for eyes (WCAG 2.3.1)
constexpr double kLongestLife = 0.95;  // steps, of what choreography.cpp writes
constexpr uint64_t kMostSteps = 128;   // evaluated at once: 320 steps a second

}  // namespace

Stage::Stage(gpu::Device& device, trace::Log& log, Quality quality)
    : reader_(log), renderer_(device, quality) {}

bool Stage::poll() {
  const bool any = reader_.poll();
  if (layout_ == nullptr && reader_.model() != nullptr) {
    layout_ = std::make_unique<scene::Layout>(reader_.model()->record);
    renderer_.set_nodes(layout_->nodes());
  }
  if (conversation_ != reader_.conversation()) {
    conversation_ = reader_.conversation();
    renderer_.drop_steps();
  }
  return any;
}

uint32_t Stage::columns_in_view() const {
  const auto positions = static_cast<uint32_t>(reader_.positions());
  return std::clamp(positions / layout_->positions_per_column() + 1, 9U, 18U);
}

glm::vec3 Stage::where(uint32_t node, double playhead) const {
  const shaders::Node& n = layout_->nodes()[node];
  glm::vec3 at = n.center;
  if (n.column >= 0.0F)
    at.z = shaders::past_z(scene::column_now(reader_, *layout_, playhead) - n.column);
  return at;
}

shaders::Frame Stage::frame(const View& view, glm::vec2 viewport) const {
  const scene::Palette colours = scene::palette(view.look.theme);
  const bool light = view.look.theme == scene::Theme::kLight;
  const float aspect = viewport.x / std::max(viewport.y, 1.0F);
  shaders::Frame f{};
  f.clip_from_world = view.camera.clip_from_world(aspect);
  f.eye = view.camera.eye();
  const glm::mat4 view_from_world = view.camera.view_from_world();
  f.right = {view_from_world[0][0], view_from_world[1][0], view_from_world[2][0]};
  f.up = {view_from_world[0][1], view_from_world[1][1], view_from_world[2][1]};
  f.playhead = static_cast<float>(view.playhead);
  f.shortest_life = static_cast<float>(kShortestLife * view.pace);
  f.pixel_size = 2.0F * std::tan(scene::Camera::kFovY * 0.5F) / std::max(viewport.y, 1.0F);
  f.exposure = view.look.exposure;
  f.bloom = light ? 0.0F : view.look.bloom;
  for (uint32_t c = 0; c < shaders::kChannelCount; ++c) {
    f.channel_color[c] = glm::vec4(colours.channel[c], view.look.gain[c]);
  }
  f.background = glm::vec4(colours.background, light ? 1.0F : 0.0F);
  f.horizon = glm::vec4(colours.horizon, 0.012F);
  f.hovered = view.hovered;
  f.selected = view.selected;
  f.reduced_motion = view.look.reduced_motion ? 1 : 0;
  f.floor_y = -0.8F;
  f.grid_cell = 0.5F;
  f.now = scene::column_now(reader_, *layout_, view.playhead);
  return f;
}

void Stage::upload(uint64_t first_step, uint64_t last_step) {
  for (uint64_t s = first_step; s <= last_step; ++s) {
    if (renderer_.has_step(s)) continue;
    const scene::Script script = scene::choreograph(reader_, *layout_, s);
    renderer_.put_step(s, script.lights, script.bolts);
  }
}

bool Stage::draw(Target& target, const View& view) {
  const auto begin = Clock::now();
  const glm::vec2 viewport(static_cast<float>(target.extent().width),
                           static_cast<float>(target.extent().height));
  FrameInput input;
  input.frame = frame(view, viewport);
  if (reader_.steps() > 0) {
    const auto last = std::min<uint64_t>(static_cast<uint64_t>(view.playhead), reader_.steps() - 1);
    const double reach = std::ceil(std::max(kLongestLife, double{input.frame.shortest_life}));
    const auto back = std::min<uint64_t>(static_cast<uint64_t>(reach), kMostSteps);
    input.last_step = last;
    input.first_step = last > back ? last - back : 0;
    upload(input.first_step, input.last_step);
  }
  const auto choreographed = Clock::now();
  const scene::Palette colours = scene::palette(view.look.theme);
  std::vector<Label> labels;
  if (view.look.labels) {
    labels = make_labels({reader_, *layout_, colours, view.playhead, input.frame.now,
                          input.frame.clip_from_world, viewport,
                          viewport.y / 720.0F * 13.0F * view.look.scale});
  }
  times_ = {ms_between(begin, choreographed), ms_between(choreographed, Clock::now())};
  input.labels = labels;
  input.ui = view.ui;
  input.pick = view.pick;
  return renderer_.draw(target, input);
}

}  // namespace render
