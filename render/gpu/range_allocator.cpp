#include "render/gpu/range_allocator.h"

#include <iterator>

#include "model/error.h"

namespace gpu {

std::optional<uint64_t> RangeAllocator::allocate(uint64_t size, uint64_t alignment) {
  CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0);
  if (size == 0) return 0;
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    const uint64_t begin = it->first, end = begin + it->second;
    const uint64_t offset = (begin + alignment - 1) & ~(alignment - 1);
    if (offset < begin || offset > end || end - offset < size) continue;
    free_.erase(it);
    if (offset > begin) free_[begin] = offset - begin;
    if (end > offset + size) free_[offset + size] = end - offset - size;
    used_ += size;
    return offset;
  }
  return std::nullopt;
}

void RangeAllocator::free(uint64_t offset, uint64_t size) {
  if (size == 0) return;
  CHECK(offset + size <= size_ && size <= used_);
  used_ -= size;
  auto next = free_.lower_bound(offset);
  CHECK(next == free_.end() || next->first >= offset + size);
  if (next != free_.end() && next->first == offset + size) {
    size += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    CHECK(before->first + before->second <= offset);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  free_[offset] = size;
}

void RangeAllocator::grow(uint64_t size) {
  CHECK(size >= size_);
  const uint64_t old = size_, added = size - old;
  size_ = size;
  used_ += added;
  free(old, added);
}

}  // namespace gpu
