// First fit over an index range, with neighbours joined when freed. Knows nothing of Vulkan:
// memory blocks and step storage are ranges.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace gpu {

class RangeAllocator {
 public:
  explicit RangeAllocator(uint64_t size = 0) { grow(size); }

  // alignment: a power of two. A size of 0 takes nothing and yields offset 0.
  std::optional<uint64_t> allocate(uint64_t size, uint64_t alignment = 1);
  // Exactly what allocate() gave, with its size.
  void free(uint64_t offset, uint64_t size);
  // Adds [size(), size) at the end.
  void grow(uint64_t size);

  uint64_t size() const noexcept { return size_; }
  uint64_t used() const noexcept { return used_; }

 private:
  std::map<uint64_t, uint64_t> free_;  // offset -> size, never touching each other
  uint64_t size_ = 0;
  uint64_t used_ = 0;
};

}  // namespace gpu
