#include "model/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

namespace model {
namespace {

// Of all pages that hold a byte of these.
void advise(const void* at, size_t bytes, int advice) noexcept {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  if (bytes == 0) return;
  const auto address = reinterpret_cast<uintptr_t>(at);
  const uintptr_t begin = address / page * page;
  ::madvise(reinterpret_cast<void*>(begin), address + bytes - begin, advice);
}

}  // namespace

void ready_to_write([[maybe_unused]] void* at, [[maybe_unused]] size_t bytes) noexcept {
#if defined(MADV_POPULATE_WRITE)
  advise(at, bytes, MADV_POPULATE_WRITE);
#endif
}

void ready_to_read([[maybe_unused]] const void* at, [[maybe_unused]] size_t bytes) noexcept {
#if defined(MADV_POPULATE_READ)
  advise(at, bytes, MADV_POPULATE_READ);
#endif
}

void Unmap::operator()(char*) const noexcept {
  ::munmap(begin, bytes);
}

Pages zero_pages(size_t bytes) {
  if (bytes > SIZE_MAX - kHugePage) throw std::bad_alloc();
  const size_t all = bytes + kHugePage;  // so that a huge page begins in it
  void* begin = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  char* at = static_cast<char*>(begin) + -reinterpret_cast<uintptr_t>(begin) % kHugePage;
#if defined(MADV_HUGEPAGE)
  advise(at, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return {at, Unmap{begin, all}};
}

}  // namespace model
