// Pages of memory made ready many at once. The first touch of each is a trap into the system else,
// which takes far longer than what is then done for it: 11 and 0.5 us on a virtual machine. Where
// the system has no such call (Linux before 5.14) nothing happens, and the touch does it.
#pragma once

#include <cstddef>
#include <memory>

namespace model {

// Memory that is to be written; what is in it stays.
void ready_to_write(void* at, size_t bytes) noexcept;

// A part of a mapped file that is to be read. Of a file that has shrunk nothing is made ready.
void ready_to_read(const void* at, size_t bytes) noexcept;

inline constexpr size_t kHugePage = size_t{1} << 21;

// Zeros that take no memory before they are touched: where the system has them in huge pages, of
// which the processor's tables of addresses hold far more, but for what fills none. Throws
// std::bad_alloc.
struct Unmap {
  void* begin;
  size_t bytes;
  void operator()(char*) const noexcept;
};
using Pages = std::unique_ptr<char, Unmap>;
Pages zero_pages(size_t bytes);

}  // namespace model
