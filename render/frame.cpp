#include "render/frame.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "render/governor.h"
#include "render/gpu/barrier.h"
#include "render/pass/bloom.h"
#include "render/pass/bolts.h"
#include "render/pass/composite.h"
#include "render/pass/labels.h"
#include "render/pass/lights.h"
#include "render/pass/lines.h"
#include "render/pass/nodes.h"
#include "render/pass/pick.h"
#include "render/pass/present.h"
#include "render/pass/scene_store.h"
#include "render/pass/sky.h"
#include "render/pass/step_store.h"
#include "render/pass/tensors.h"
#include "render/ui/imgui_renderer.h"

namespace render {
namespace {

constexpr uint64_t kStepBytes = uint64_t{64} << 20;  // of lights, and of bolts
constexpr size_t kFramesInFlight = 2;
// GPU time a frame of a window: 60 frames a second on a GPU; on a CPU device 30, some of it left
// over.
constexpr double kBudgetMs = 13.0;
constexpr double kCpuBudgetMs = 26.0;
constexpr size_t kCpuFirstScale = 2;

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
  gpu::Buffer bolts;  // how many of them were lit and how many drawn
};

}  // namespace

struct Renderer::Impl {
  Impl(gpu::Device& device_, Quality quality)
      : device(device_),
        adaptive(quality == Quality::kWindow),
        cheap(adaptive && device_.is_cpu()),
        governor(cheap ? kCpuBudgetMs : kBudgetMs, cheap ? kCpuFirstScale : 0),
        samples(samples_for(device_, cheap)),
        context(device_),
        steps(context, kStepBytes),
        store(context),
        lights(context),
        sky(context, samples),
        nodes(context, samples),
        tensors(context, samples),
        bolts(context, samples),
        bloom(context, cheap),
        composite(context, cheap),
        present(context, cheap),
        lines(context),
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
      slot.bolts = gpu::Buffer(device, 2 * sizeof(uint32_t), VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               gpu::Memory::kReadBack, "bolts counted");
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

  // The target's size -> the scene's, and its images.
  void resize(VkExtent2D target, bool refine) {
    extent = target;
    const float scale = adaptive && !refine ? governor.now().scale : 1.0F;
    if (refined != refine) governor.restart();
    refined = refine;
    const auto scaled = [&](uint32_t pixels) {
      return std::max(static_cast<uint32_t>(std::lround(static_cast<float>(pixels) * scale)), 1U);
    };
    const VkExtent2D size{scaled(target.width), scaled(target.height)};
    if (size.width == scene_extent.width && size.height == scene_extent.height) return;
    scene_extent = size;
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
    constexpr VkImageUsageFlags kNotKept = VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT;
    color =
        image(kSceneFormat, kColor | VK_IMAGE_USAGE_SAMPLED_BIT, VK_SAMPLE_COUNT_1_BIT, "scene");
    depth = image(kDepthFormat, VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT | kNotKept, samples,
                  "depth");
    if (samples != VK_SAMPLE_COUNT_1_BIT)
      multisampled = image(kSceneFormat, kColor | kNotKept, samples, "scene, multisampled");
    if (adaptive)
      graded = image(kGradedFormat, kColor | VK_IMAGE_USAGE_SAMPLED_BIT, VK_SAMPLE_COUNT_1_BIT,
                     "graded");
    bloom.resize(size);
    present.resize(size);
  }

  // viewport: pixels that are drawn; frame is for `from` pixels from top to bottom.
  SceneBuffers scene_buffers(shaders::Frame frame, VkExtent2D viewport, uint32_t from) {
    frame.viewport = {viewport.width, viewport.height};
    frame.pixel_size *= static_cast<float>(from) / static_cast<float>(viewport.height);
    frame.element_count = store.element_count();
    context.light_theme = frame.background.w > 0.5F;
    const gpu::Staging::Slice slice =
        context.staging.put(std::span<const shaders::Frame>(&frame, 1));
    SceneBuffers buffers = store.buffers();
    buffers.frame = slice.buffer;
    buffers.frame_offset = slice.offset;
    return buffers;
  }

  BoltDetail detail(const FrameInput& input) const {
    if (!adaptive) return {};
    if (refined || input.all_bolts) return {.finest = false};
    return {.finest = false, .budget = governor.now().bolts};
  }

  // A submission of its own that waits for everything before it.
  void run_now(const std::function<void(VkCommandBuffer)>& record) {
    device.run_now([&](VkCommandBuffer commands) {
      gpu::barrier(commands, gpu::kAnything, gpu::kAnything);
      context.uploader.flush(commands);
      context.timer.begin_frame(commands);
      record(commands);
      context.timer.end_frame(commands);
      context.staging.frame_recorded();
      context.timer.frame_recorded();
    });
  }

  bool draw(Target& target, const FrameInput& input);
  void record_scene(VkCommandBuffer commands, const FrameInput& input, const SceneBuffers& scene,
                    VkBuffer bolts_counted);
  void record_screen(VkCommandBuffer commands, const SceneBuffers& scene,
                     const SceneBuffers& screen, VkFormat format, const TargetImage& image);

  gpu::Device& device;
  bool adaptive;
  bool cheap;
  Governor governor;
  VkSampleCountFlagBits samples;
  PassContext context;
  StepStore steps;
  SceneStore store;
  LightsPass lights;
  SkyPass sky;
  NodesPass nodes;
  TensorsPass tensors;
  BoltsPass bolts;
  BloomPass bloom;
  CompositePass composite;
  PresentPass present;
  LinesPass lines;
  LabelsPass labels;
  ImguiRenderer ui;
  PickPass pick;

  VkExtent2D extent{};        // of the target
  VkExtent2D scene_extent{};  // of the images of the scene
  gpu::Image multisampled;
  gpu::Image color;
  gpu::Image depth;
  gpu::Image graded;  // adaptive only
  bool refined = false;
  std::array<FrameSlot, kFramesInFlight> slots;
  size_t turn = 0;
  std::vector<PassTime> times;
  FrameStats stats;
};

bool Renderer::Impl::draw(Target& target, const FrameInput& input) {
  device.collect();
  FrameSlot& slot = slots[turn];
  device.wait(slot.submission);
  if (slot.submission != 0) {
    stats.bolts_lit = slot.bolts.mapped<uint32_t>()[0];
    stats.bolts_drawn = slot.bolts.mapped<uint32_t>()[1];
  }
  TargetImage image;
  if (!target.acquire(image)) {
    // A window without an area may stay so for hours, and what happens goes on.
    if (context.uploader.pending()) run_now([](VkCommandBuffer) {});
    return false;
  }
  turn = (turn + 1) % slots.size();
  const auto begin_recording = std::chrono::steady_clock::now();
  context.draw_calls = 0;
  resize(target.extent(), input.refine);

  store.reserve_raised(lights.prepare(steps, input.first_step, input.last_step, input.frame));
  const SceneBuffers scene = scene_buffers(input.frame, scene_extent, extent.height);
  const SceneBuffers screen = scene_buffers(input.frame, extent, extent.height);
  bolts.reserve(steps, input.first_step, input.last_step, input.frame);
  tensors.prepare(input.tiles);
  shaders::Frame frame = input.frame;
  frame.viewport = {extent.width, extent.height};
  lines.prepare(input.lines);
  labels.prepare(input.labels, frame);
  ui.prepare(input.ui);

  VK_CHECK(vkResetCommandPool(device.handle(), slot.pool, 0));
  const VkCommandBufferBeginInfo begin{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                       .pNext = nullptr,
                                       .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                       .pInheritanceInfo = nullptr};
  VK_CHECK(vkBeginCommandBuffer(slot.commands, &begin));
  context.timer.begin_frame(slot.commands);
  if (!refined) governor.add(context.timer.newest_frame_ms(), stats.bolts_lit);
  // One frame's GPU work follows the other's: images and buffers are not doubled.
  gpu::barrier(slot.commands, gpu::kAnything, gpu::kAnything);
  context.uploader.flush(slot.commands);
  record_scene(slot.commands, input, scene, slot.bolts.handle());
  record_screen(slot.commands, scene, screen, target.format(), image);
  if (input.pick) pick.record(slot.commands, screen, nodes, bolts, steps, *input.pick, extent);
  target.finish(slot.commands);
  context.timer.end_frame(slot.commands);
  VK_CHECK(vkEndCommandBuffer(slot.commands));
  context.staging.frame_recorded();
  context.timer.frame_recorded();
  // Without the submission: a CPU device draws within it.
  stats.record_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_recording)
          .count();

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
  stats.draw_calls = context.draw_calls;
  stats.bolts = bolts.count();
  stats.scene = scene_extent;
  target.submitted(slot.submission);
  return true;
}

void Renderer::Impl::record_scene(VkCommandBuffer commands, const FrameInput& input,
                                  const SceneBuffers& scene, VkBuffer bolts_counted) {
  lights.record(commands, scene, steps);
  bolts.choose(commands, scene, steps, detail(input), bolts_counted);
  {
    const bool resolve = static_cast<bool>(multisampled);
    const Rendering rendering(commands,
                              {.extent = scene_extent,
                               .color = resolve ? multisampled.view() : color.view(),
                               .color_layout = resolve ? multisampled.layout() : color.layout(),
                               .resolve = resolve ? color.view() : VK_NULL_HANDLE,
                               .depth = depth.view()});
    nodes.record(commands, scene);
    const shaders::Frame& frame = input.frame;
    sky.record(commands, scene, frame.grid_cell > 0.0F && frame.eye.y > frame.floor_y);
    tensors.record(commands, scene, input.clip_from_eye);
    bolts.record(commands, scene, steps);
  }
  gpu::barrier(commands, gpu::kColorWrite, gpu::kFragmentRead);
  bloom.record(commands, color, adaptive && !refined ? governor.now().bloom : BloomPass::kLevels);
}

void Renderer::Impl::record_screen(VkCommandBuffer commands, const SceneBuffers& scene,
                                   const SceneBuffers& screen, VkFormat format,
                                   const TargetImage& image) {
  const bool on_the_way = cheap || scene_extent.width != extent.width;
  if (on_the_way) {
    {
      const Rendering rendering(commands, {.extent = scene_extent, .color = graded.view()});
      composite.record(commands, scene, scene_extent, kGradedFormat, color.view(), bloom.result());
    }
    present.smooth(commands, graded);
  }
  gpu::image_barrier(commands, image.image, VK_IMAGE_ASPECT_COLOR_BIT,
                     {VK_PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT, VK_ACCESS_2_NONE},
                     gpu::kColorWrite, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
  const Rendering rendering(commands, {.extent = extent,
                                       .color = image.view,
                                       .color_layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL});
  if (on_the_way) {
    present.enlarge(commands, extent, format, graded);
  } else {
    composite.record(commands, scene, extent, format, color.view(), bloom.result());
  }
  lines.record(commands, screen, format);
  labels.record(commands, screen, format);
  ui.record(commands, extent, format);
}

Renderer::Renderer(gpu::Device& device, Quality quality)
    : impl_(std::make_unique<Impl>(device, quality)) {}
Renderer::~Renderer() = default;

void Renderer::set_nodes(std::span<const shaders::Node> nodes, std::span<const shaders::Grid> grids,
                         uint32_t elements) {
  impl_->set_nodes(nodes, grids, elements);
}

void Renderer::put_step(uint64_t step, std::span<const shaders::Light> lights,
                        std::span<const shaders::Bolt> bolts) {
  impl_->steps.put(step, lights, bolts);
}
bool Renderer::has_step(uint64_t step) const {
  return impl_->steps.has(step);
}
void Renderer::drop_steps() {
  impl_->steps.drop(0, std::numeric_limits<uint64_t>::max());
}
void Renderer::drop_steps(uint64_t first, uint64_t last) {
  impl_->steps.drop(first, last);
}

void Renderer::put_tile(uint32_t slot, std::span<const glm::vec4> texels) {
  impl_->tensors.put(slot, texels);
}

std::vector<glm::vec4> Renderer::read_tile(uint32_t slot) {
  Impl& impl = *impl_;
  constexpr uint32_t kSide = shaders::kTileSide;
  const gpu::Image& atlas = impl.tensors.atlas();
  const gpu::Buffer copy(impl.device, kSide * kSide * sizeof(glm::vec4),
                         VK_BUFFER_USAGE_TRANSFER_DST_BIT, gpu::Memory::kReadBack,
                         "tile read back");
  impl.run_now([&](VkCommandBuffer commands) {
    const glm::ivec2 at(tile_origin(slot));
    const VkBufferImageCopy region{.bufferOffset = 0,
                                   .bufferRowLength = 0,
                                   .bufferImageHeight = 0,
                                   .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                   .imageOffset = {at.x, at.y, 0},
                                   .imageExtent = {kSide, kSide, 1}};
    constexpr VkImageLayout kCopy = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL;
    gpu::image_barrier(commands, atlas.handle(), atlas.aspect(), gpu::kTransferWrite,
                       gpu::kTransferRead, VK_IMAGE_LAYOUT_GENERAL, kCopy);
    vkCmdCopyImageToBuffer(commands, atlas.handle(), kCopy, copy.handle(), 1, &region);
    gpu::image_barrier(commands, atlas.handle(), atlas.aspect(), gpu::kTransferRead, gpu::kAnything,
                       kCopy, VK_IMAGE_LAYOUT_GENERAL);
    gpu::barrier(commands, gpu::kTransferWrite, gpu::kHostRead);
  });
  const auto texels = copy.mapped<glm::vec4>();
  return {texels.begin(), texels.end()};
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
  return impl_->pick.take();
}

PickResult Renderer::pick_now(const shaders::Frame& frame, glm::ivec2 pixel, glm::uvec2 viewport) {
  Impl& impl = *impl_;
  const SceneBuffers scene =
      impl.scene_buffers(frame, {viewport.x, viewport.y}, std::max(viewport.y, 1U));
  impl.run_now([&](VkCommandBuffer commands) {
    impl.bolts.choose(commands, scene, impl.steps, {});
    impl.pick.record(commands, scene, impl.nodes, impl.bolts, impl.steps, pixel,
                     {viewport.x, viewport.y});
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

const std::vector<PassTime>& Renderer::pass_times() const {
  impl_->times.clear();
  for (const gpu::Timing& timing : impl_->context.timer.newest())
    impl_->times.push_back({timing.name, timing.ms});
  return impl_->times;
}

double Renderer::gpu_frame_ms() const {
  return impl_->context.timer.newest_frame_ms();
}

const FrameStats& Renderer::stats() const {
  return impl_->stats;
}

}  // namespace render
