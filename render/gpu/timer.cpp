#include "render/gpu/timer.h"

#include "model/error.h"
#include "render/gpu/barrier.h"

namespace gpu {

Timer::Timer(Device& device) : device_(device) {
  uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(device.physical(), &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(device.physical(), &count, families.data());
  const uint32_t bits = families[device.queue_family()].timestampValidBits;
  usable_ = bits != 0;
  if (!usable_) return;
  valid_ = bits < 64 ? (uint64_t{1} << bits) - 1 : ~uint64_t{0};
  for (Frame& frame : frames_) {
    VkQueryPoolCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
    info.queryType = VK_QUERY_TYPE_TIMESTAMP;
    info.queryCount = 2 * kScopes;
    VK_CHECK(vkCreateQueryPool(device.handle(), &info, nullptr, &frame.pool));
    frame.ticks = Buffer(device, info.queryCount * sizeof(uint64_t),
                         VK_BUFFER_USAGE_TRANSFER_DST_BIT, Memory::kReadBack, "ticks");
  }
}

Timer::~Timer() {
  for (const Frame& frame : frames_) {
    device_.retire([&device = device_, pool = frame.pool] {
      vkDestroyQueryPool(device.handle(), pool, nullptr);
    });
  }
}

void Timer::begin_frame(VkCommandBuffer commands) {
  if (!usable_) return;
  current_ = (current_ + 1) % kFrames;
  Frame& frame = frames_[current_];
  if (frame.submission != 0 && device_.completed() >= frame.submission) {
    const auto count = static_cast<uint32_t>(2 * frame.names.size());
    const std::span<const uint64_t> ticks = frame.ticks.mapped<uint64_t>();
    if (count != 0) {
      newest_.clear();
      const double ms_per_tick =
          static_cast<double>(device_.properties().limits.timestampPeriod) * 1e-6;
      const auto ms_between = [&](uint64_t first, uint64_t last) {
        return static_cast<double>((last - first) & valid_) * ms_per_tick;  // counters wrap
      };
      for (size_t i = 0; i < frame.names.size(); ++i)
        newest_.push_back({frame.names[i], ms_between(ticks[2 * i], ticks[2 * i + 1])});
      newest_frame_ms_ = ms_between(ticks[0], ticks[count - 1]);
    }
  }
  frame.names.clear();
  frame.submission = 0;
  vkCmdResetQueryPool(commands, frame.pool, 0, 2 * kScopes);
}

void Timer::begin(VkCommandBuffer commands, const char* name) {
  if (!usable_) return;
  Frame& frame = frames_[current_];
  CHECK(frame.names.size() < kScopes);
  vkCmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, frame.pool,
                       static_cast<uint32_t>(2 * frame.names.size()));
  frame.names.push_back(name);
}

void Timer::end(VkCommandBuffer commands) {
  if (!usable_) return;
  const Frame& frame = frames_[current_];
  vkCmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, frame.pool,
                       static_cast<uint32_t>(2 * frame.names.size() - 1));
}

void Timer::end_frame(VkCommandBuffer commands) {
  const Frame& frame = frames_[current_];
  if (!usable_ || frame.names.empty()) return;
  vkCmdCopyQueryPoolResults(commands, frame.pool, 0, static_cast<uint32_t>(2 * frame.names.size()),
                            frame.ticks.handle(), 0, sizeof(uint64_t),
                            VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
  barrier(commands, kTransferWrite, kHostRead);
}

void Timer::frame_recorded() {
  frames_[current_].submission = device_.next_submission();
}

}  // namespace gpu
