#include "render/gpu/memory.h"

#include <algorithm>
#include <array>

#include "model/error.h"
#include "render/gpu/device.h"

namespace gpu {
namespace {

constexpr VkDeviceSize kBlockBytes = VkDeviceSize{32} << 20;

}  // namespace

struct MemoryBlock {
  VkDeviceMemory memory = VK_NULL_HANDLE;
  std::byte* mapped = nullptr;
  uint32_t type = 0;
  bool tiled = false;
  RangeAllocator ranges;
};

Allocator::Allocator(VkPhysicalDevice physical, VkDevice device) : device_(device) {
  vkGetPhysicalDeviceMemoryProperties(physical, &properties_);
}

Allocator::~Allocator() {
  for (const auto& block : blocks_) vkFreeMemory(device_, block->memory, nullptr);
}

uint32_t Allocator::type_for(uint32_t allowed, Memory kind) const {
  constexpr VkMemoryPropertyFlags kDeviceLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  constexpr VkMemoryPropertyFlags kMapped =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  constexpr VkMemoryPropertyFlags kLazy = VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT;
  // Wished for first, enough last.
  using Wishes = std::array<VkMemoryPropertyFlags, 3>;
  const Wishes wishes =
      kind == Memory::kDevice      ? Wishes{kDeviceLocal, 0, 0}
      : kind == Memory::kTransient ? Wishes{kDeviceLocal | kLazy, kDeviceLocal, 0}
      : kind == Memory::kUpload
          ? Wishes{kMapped, kMapped, kMapped}
          : Wishes{kMapped | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, kMapped, kMapped};
  for (const VkMemoryPropertyFlags wish : wishes) {
    for (uint32_t i = 0; i < properties_.memoryTypeCount; ++i) {
      if ((allowed >> i & 1) != 0 && (properties_.memoryTypes[i].propertyFlags & wish) == wish)
        return i;
    }
  }
  throw fulgurite::Error(fulgurite::ExitCode::kFailed, "the device has no fitting memory type",
                         "vulkan");
}

Allocation Allocator::allocate(const VkMemoryRequirements& requirements, Memory kind, bool tiled) {
  const uint32_t type = type_for(requirements.memoryTypeBits, kind);
  const bool mapped = kind == Memory::kUpload || kind == Memory::kReadBack;
  const auto take = [&](MemoryBlock& block) -> std::optional<Allocation> {
    const auto offset = block.ranges.allocate(requirements.size, requirements.alignment);
    if (!offset) return std::nullopt;
    return Allocation{&block, block.memory, *offset, requirements.size,
                      block.mapped != nullptr ? block.mapped + *offset : nullptr};
  };
  for (const auto& block : blocks_) {
    if (block->type != type || block->tiled != tiled || mapped != (block->mapped != nullptr))
      continue;
    if (const auto taken = take(*block)) return *taken;
  }
  auto block = std::make_unique<MemoryBlock>();
  const VkDeviceSize size = std::max(requirements.size, kBlockBytes);
  const VkMemoryAllocateInfo info{.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                  .pNext = nullptr,
                                  .allocationSize = size,
                                  .memoryTypeIndex = type};
  VK_CHECK(vkAllocateMemory(device_, &info, nullptr, &block->memory));
  block->type = type;
  block->tiled = tiled;
  block->ranges.grow(size);
  blocks_.push_back(std::move(block));
  MemoryBlock& added = *blocks_.back();
  if (mapped) {
    void* at = nullptr;
    VK_CHECK(vkMapMemory(device_, added.memory, 0, VK_WHOLE_SIZE, 0, &at));
    added.mapped = static_cast<std::byte*>(at);
  }
  return *take(added);
}

void Allocator::free(const Allocation& allocation) noexcept {
  if (allocation.block == nullptr) return;
  allocation.block->ranges.free(allocation.offset, allocation.size);
  if (allocation.block->ranges.used() != 0) return;
  // The last empty block of a kind is kept for the next one that asks.
  const auto same = std::count_if(blocks_.begin(), blocks_.end(), [&](const auto& block) {
    return block->type == allocation.block->type && block->tiled == allocation.block->tiled &&
           (block->mapped != nullptr) == (allocation.block->mapped != nullptr);
  });
  if (same == 1 && allocation.block->ranges.size() == kBlockBytes) return;
  const auto it = std::find_if(blocks_.begin(), blocks_.end(),
                               [&](const auto& block) { return block.get() == allocation.block; });
  vkFreeMemory(device_, (*it)->memory, nullptr);
  blocks_.erase(it);
}

}  // namespace gpu
