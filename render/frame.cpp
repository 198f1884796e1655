#include "render/frame.h"

#include <array>
#include <cstring>

#include "model/error.h"
#include "render/gpu/barrier.h"
#include "render/pass/bloom.h"
#include "render/pass/bolts.h"
#include "render/pass/composite.h"
#include "render/pass/labels.h"
#include "render/pass/lights.h"
#include "render/pass/nodes.h"
#include "render/pass/pick.h"
#include "render/pass/scene_store.h"
#include "render/pass/sky.h"
#include "render/pass/step_store.h"
#include "render/ui/imgui_renderer.h"

namespace render {
namespace {

constexpr uint64_t kStepBytes = uint64_t{64} << 20;  // of lights, and of bolts
constexpr size_t kFramesInFlight = 2;

VkSampleCountFlagBits samples_for(const gpu::Device& device, bool cheap) {
  const VkPhysicalDeviceLimits& limits = device.properties().limits;
  const VkSampleCountFlags both =
      limits.framebufferColorSampleCounts & limits.framebufferDepthSampleCounts;
  return !cheap && (both & VK_SAMPLE_COUNT_4_BIT) != 0 ? VK_SAMPLE_COUNT_4_BIT
                                                       : VK_SAMPLE_COUNT_1_BIT;
}

struct FrameSlot {
  VkCommandPool pool = VK_NULL_HANDLE;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  uint64_t submission = 0;
};

}  // namespace

struct Renderer::Impl {
  Impl(gpu::Device& device_, Quality quality)
      : device(device_),
        cheap(quality == Quality::kWindow && device_.is_cpu()),
        samples(samples_for(device_, cheap)),
        context(device_),
        steps(context, kStepBytes),
        store(context),
        lights(context),
        sky(context, samples),
        nodes(context, samples),
        bolts(context, samples),
        bloom(context, cheap),
        composite(context),
        labels(context),
        ui(context),
        pick(context) {
    for (FrameSlot& slot : slots) {
      const VkCommandPoolCreateInfo pool{.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                         .pNext = nullptr,
                                         .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                         .queueFamilyIndex = device.queue_family()};
      VK_CHECK(vkCreateCommandPool(device.handle(), &pool, nullptr, &slot.pool));
      const VkCommandBufferAllocateInfo info{
          .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
          .pNext = nullptr,
          .commandPool = slot.pool,
          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
          .commandBufferCount = 1};
      VK_CHECK(vkAllocateCommandBuffers(device.handle(), &info, &slot.commands));
    }
  }

  ~Impl() {
    for (const FrameSlot& slot : slots) {
      device.retire(
          [&d = device, pool = slot.pool] { vkDestroyCommandPool(d.handle(), pool, nullptr); });
    }
  }

  void set_nodes(std::span<const shaders::Node> all, std::span<const shaders::Grid> grids,
                 uint32_t elements) {
    store.set(all, grids, elements);
    nodes.reserve(store.node_count());
  }

  void resize(VkExtent2D size) {
    if (size.width == extent.width && size.height == extent.height) return;
    extent = size;
    const auto image = [&](VkFormat format, VkImageUsageFlags usage, VkSampleCountFlagBits count,
                           const char* name) {
      gpu::Image made(device, {.width = size.width,
                               .height = size.height,
                               .format = format,
                               .usage = usage,
                               .samples = count,
                               .name = name});
      context.uploader.prepare(made);
      return made;
    };
    constexpr VkImageUsageFlags kColor = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT;
    color =
        image(kSceneFormat, kColor | VK_IMAGE_USAGE_SAMPLED_BIT, VK_SAMPLE_COUNT_1_BIT, "scene");
    depth = image(kDepthFormat, VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT, samples, "depth");
    if (samples != VK_SAMPLE_COUNT_1_BIT)
      multisampled = image(kSceneFormat, kColor, samples, "scene, multisampled");
    bloom.resize(size);
  }

  SceneBuffers scene_buffers(shaders::Frame frame, glm::uvec2 viewport) {
    frame.viewport = viewport;
    frame.element_count = store.element_count();
    const gpu::Staging::Slice slice =
        context.staging.put(std::span<const shaders::Frame>(&frame, 1));
    SceneBuffers buffers = store.buffers();
    buffers.frame = slice.buffer;
    buffers.frame_offset = slice.offset;
    return buffers;
  }

  // A submission of its own that waits for everything before it.
  void run_now(const std::function<void(VkCommandBuffer)>& record) {
    device.run_now([&](VkCommandBuffer commands) {
      gpu::barrier(commands, gpu::kAnything, gpu::kAnything);
      context.uploader.flush(commands);
      context.timer.begin_frame(commands);
      record(commands);
      context.staging.frame_recorded();
      context.timer.frame_recorded();
    });
  }

  bool draw(Target& target, const FrameInput& input);
  void record_passes(VkCommandBuffer commands, const FrameInput& input, const SceneBuffers& scene,
                     VkFormat format, const TargetImage& image);

  gpu::Device& device;
  bool cheap;
  VkSampleCountFlagBits samples;
  PassContext context;
  StepStore steps;
  SceneStore store;
  LightsPass lights;
  SkyPass sky;
  NodesPass nodes;
  BoltsPass bolts;
  BloomPass bloom;
  CompositePass composite;
  LabelsPass labels;
  ImguiRenderer ui;
  PickPass pick;

  VkExtent2D extent{};
  gpu::Image multisampled;
  gpu::Image color;
  gpu::Image depth;
  std::array<FrameSlot, kFramesInFlight> slots;
  size_t turn = 0;
  std::vector<PassTime> times;
};

bool Renderer::Impl::draw(Target& target, const FrameInput& input) {
  device.collect();
  FrameSlot& slot = slots[turn];
  device.wait(slot.submission);
  TargetImage image;
  if (!target.acquire(image)) return false;
  turn = (turn + 1) % slots.size();
  resize(target.extent());

  FrameInput filled = input;
  filled.frame.viewport = glm::vec2(extent.width, extent.height);
  store.reserve_raised(steps.light_count(input.first_step, input.last_step));
  const SceneBuffers scene = scene_buffers(filled.frame, {extent.width, extent.height});
  bolts.reserve(steps, input.first_step, input.last_step, double{input.frame.merge});
  labels.prepare(input.labels, filled.frame);
  ui.prepare(input.ui);

  VK_CHECK(vkResetCommandPool(device.handle(), slot.pool, 0));
  const VkCommandBufferBeginInfo begin{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                       .pNext = nullptr,
                                       .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                       .pInheritanceInfo = nullptr};
  VK_CHECK(vkBeginCommandBuffer(slot.commands, &begin));
  context.timer.begin_frame(slot.commands);
  // One frame's GPU work follows the other's: images and buffers are not doubled.
  gpu::barrier(slot.commands, gpu::kAnything, gpu::kAnything);
  context.uploader.flush(slot.commands);
  record_passes(slot.commands, filled, scene, target.format(), image);
  target.finish(slot.commands);
  VK_CHECK(vkEndCommandBuffer(slot.commands));
  context.staging.frame_recorded();
  context.timer.frame_recorded();

  const auto semaphore = [](VkSemaphore handle, VkPipelineStageFlags2 stage) {
    return VkSemaphoreSubmitInfo{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                 .pNext = nullptr,
                                 .semaphore = handle,
                                 .value = 0,
                                 .stageMask = stage,
                                 .deviceIndex = 0};
  };
  const VkSemaphoreSubmitInfo wait =
      semaphore(image.ready, VK_PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT);
  const VkSemaphoreSubmitInfo signal = semaphore(image.done, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT);
  slot.submission =
      device.submit(slot.commands, {&wait, image.ready != VK_NULL_HANDLE ? size_t{1} : 0},
                    {&signal, image.done != VK_NULL_HANDLE ? size_t{1} : 0});
  target.submitted(slot.submission);
  return true;
}

void Renderer::Impl::record_passes(VkCommandBuffer commands, const FrameInput& input,
                                   const SceneBuffers& scene, VkFormat format,
                                   const TargetImage& image) {
  lights.record(commands, scene, steps, input.first_step, input.last_step);
  {
    const bool resolve = static_cast<bool>(multisampled);
    const Rendering rendering(commands, {.extent = extent,
                                         .color = resolve ? multisampled.view() : color.view(),
                                         .resolve = resolve ? color.view() : VK_NULL_HANDLE,
                                         .depth = depth.view()});
    sky.record(commands, scene);
    nodes.record(commands, scene);
    bolts.record(commands, scene, steps);
  }
  bloom.record(commands, color);
  gpu::image_barrier(commands, image.image, VK_IMAGE_ASPECT_COLOR_BIT,
                     {VK_PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT, VK_ACCESS_2_NONE},
                     gpu::kColorWrite, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
  {
    const Rendering rendering(commands, {.extent = extent,
                                         .color = image.view,
                                         .color_layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL});
    composite.record(commands, scene, extent, format, color.view(), bloom.result());
    labels.record(commands, scene, format);
    ui.record(commands, extent, format);
  }
  if (input.pick) pick.record(commands, scene, nodes, *input.pick, extent);
}

Renderer::Renderer(gpu::Device& device, Quality quality)
    : impl_(std::make_unique<Impl>(device, quality)) {}
Renderer::~Renderer() = default;

void Renderer::set_nodes(std::span<const shaders::Node> nodes, std::span<const shaders::Grid> grids,
                         uint32_t elements) {
  impl_->set_nodes(nodes, grids, elements);
}

void Renderer::update_nodes(uint32_t first, std::span<const shaders::Node> nodes) {
  impl_->store.update(first, nodes);
}

void Renderer::put_step(uint64_t step, std::span<const shaders::Light> lights,
                        std::span<const shaders::Bolt> bolts) {
  impl_->steps.put(step, lights, bolts);
}
bool Renderer::has_step(uint64_t step) const {
  return impl_->steps.has(step);
}
void Renderer::drop_steps() {
  impl_->steps.drop();
}

bool Renderer::draw(Target& target, const FrameInput& input) {
  return impl_->draw(target, input);
}

std::vector<glm::vec2> Renderer::read_lights() {
  Impl& impl = *impl_;
  const uint64_t bytes = uint64_t{impl.store.element_count()} * sizeof(glm::vec2);
  if (bytes == 0) return {};
  const gpu::Buffer copy(impl.device, bytes, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                         gpu::Memory::kReadBack, "lights read back");
  impl.run_now([&](VkCommandBuffer commands) {
    const VkBufferCopy range{0, 0, bytes};
    vkCmdCopyBuffer(commands, impl.store.buffers().node_lights, copy.handle(), 1, &range);
    gpu::barrier(commands, gpu::kTransferWrite, gpu::kHostRead);
  });
  std::vector<glm::vec2> lights(impl.store.element_count());
  std::memcpy(lights.data(), copy.mapped<std::byte>().data(), bytes);
  return lights;
}

std::optional<PickResult> Renderer::take_pick() {
  const auto answer = impl_->pick.take();
  if (!answer) return std::nullopt;
  return PickResult{answer->pixel, answer->node};
}

PickResult Renderer::pick_now(const shaders::Frame& frame, glm::ivec2 pixel, glm::uvec2 viewport) {
  Impl& impl = *impl_;
  const SceneBuffers scene = impl.scene_buffers(frame, viewport);
  impl.run_now([&](VkCommandBuffer commands) {
    impl.pick.record(commands, scene, impl.nodes, pixel, {viewport.x, viewport.y});
  });
  return *take_pick();
}

uintptr_t Renderer::create_texture(uint32_t width, uint32_t height, std::span<const uint8_t> rgba,
                                   bool nearest) {
  return impl_->ui.create_texture({width, height}, rgba, nearest);
}
void Renderer::update_texture(uintptr_t id, std::span<const uint8_t> rgba) {
  impl_->ui.update_texture(id, rgba);
}
void Renderer::destroy_texture(uintptr_t id) {
  impl_->ui.destroy_texture(id);
}
void Renderer::reload_ui_fonts() {
  impl_->ui.reload_fonts();
}

const std::vector<PassTime>& Renderer::pass_times() const {
  impl_->times.clear();
  for (const gpu::Timing& timing : impl_->context.timer.newest())
    impl_->times.push_back({timing.name, timing.ms});
  return impl_->times;
}

}  // namespace render
