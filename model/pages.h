// Pages of memory made ready many at once. The first touch of each is a trap into the system else,
// which takes far longer than what is then done for it: 11 and 0.5 us on a virtual machine. Where
// the system has no such call (Linux before 5.14) nothing happens, and the touch does it.
#pragma once

#include <cstddef>

namespace model {

// Memory that is to be written; what is in it stays.
void ready_to_write(void* at, size_t bytes) noexcept;

// A part of a mapped file that is to be read. Of a file that has shrunk nothing is made ready.
void ready_to_read(const void* at, size_t bytes) noexcept;

}  // namespace model
