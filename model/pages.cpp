#include "model/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

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

}  // namespace model
