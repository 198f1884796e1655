#include "render/gpu/barrier.h"

namespace gpu {

void barrier(VkCommandBuffer commands, Access before, Access after) {
  const VkMemoryBarrier2 memory{.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                .pNext = nullptr,
                                .srcStageMask = before.stage,
                                .srcAccessMask = before.access,
                                .dstStageMask = after.stage,
                                .dstAccessMask = after.access};
  const VkDependencyInfo info{.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                              .pNext = nullptr,
                              .dependencyFlags = 0,
                              .memoryBarrierCount = 1,
                              .pMemoryBarriers = &memory,
                              .bufferMemoryBarrierCount = 0,
                              .pBufferMemoryBarriers = nullptr,
                              .imageMemoryBarrierCount = 0,
                              .pImageMemoryBarriers = nullptr};
  vkCmdPipelineBarrier2(commands, &info);
}

void image_barrier(VkCommandBuffer commands, VkImage image, VkImageAspectFlags aspect,
                   Access before, Access after, VkImageLayout from, VkImageLayout to) {
  const VkImageMemoryBarrier2 barrier{.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
                                      .pNext = nullptr,
                                      .srcStageMask = before.stage,
                                      .srcAccessMask = before.access,
                                      .dstStageMask = after.stage,
                                      .dstAccessMask = after.access,
                                      .oldLayout = from,
                                      .newLayout = to,
                                      .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                      .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                      .image = image,
                                      .subresourceRange = {aspect, 0, 1, 0, 1}};
  const VkDependencyInfo info{.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                              .pNext = nullptr,
                              .dependencyFlags = 0,
                              .memoryBarrierCount = 0,
                              .pMemoryBarriers = nullptr,
                              .bufferMemoryBarrierCount = 0,
                              .pBufferMemoryBarriers = nullptr,
                              .imageMemoryBarrierCount = 1,
                              .pImageMemoryBarriers = &barrier};
  vkCmdPipelineBarrier2(commands, &info);
}

}  // namespace gpu
