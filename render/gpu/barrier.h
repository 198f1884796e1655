// Coarse barriers. Images that are both drawn to and sampled stay in GENERAL.
#pragma once

#include <vulkan/vulkan.h>

namespace gpu {

struct Access {
  VkPipelineStageFlags2 stage;
  VkAccessFlags2 access;
};

inline constexpr Access kAnything{VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
                                  VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT};
inline constexpr Access kTransferWrite{VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT,
                                       VK_ACCESS_2_TRANSFER_WRITE_BIT};
inline constexpr Access kTransferRead{VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT,
                                      VK_ACCESS_2_TRANSFER_READ_BIT};
inline constexpr Access kComputeAtomic{VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                                       VK_ACCESS_2_SHADER_READ_BIT | VK_ACCESS_2_SHADER_WRITE_BIT};
// Of buffers, by everything that draws.
inline constexpr Access kSceneRead{
    VK_PIPELINE_STAGE_2_VERTEX_SHADER_BIT | VK_PIPELINE_STAGE_2_FRAGMENT_SHADER_BIT |
        VK_PIPELINE_STAGE_2_DRAW_INDIRECT_BIT,
    VK_ACCESS_2_SHADER_READ_BIT | VK_ACCESS_2_INDIRECT_COMMAND_READ_BIT};
inline constexpr Access kFragmentRead{VK_PIPELINE_STAGE_2_FRAGMENT_SHADER_BIT,
                                      VK_ACCESS_2_SHADER_READ_BIT};
inline constexpr Access kColorWrite{
    VK_PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT,
    VK_ACCESS_2_COLOR_ATTACHMENT_READ_BIT | VK_ACCESS_2_COLOR_ATTACHMENT_WRITE_BIT};
inline constexpr Access kHostRead{VK_PIPELINE_STAGE_2_HOST_BIT, VK_ACCESS_2_HOST_READ_BIT};

void barrier(VkCommandBuffer commands, Access before, Access after);

// `after` is never nothing: what comes behind the change of layout would not wait for it.
void image_barrier(VkCommandBuffer commands, VkImage image, VkImageAspectFlags aspect,
                   Access before, Access after, VkImageLayout from, VkImageLayout to);

}  // namespace gpu
