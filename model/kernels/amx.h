// Products of 8-bit matrices in AMX's tile registers (Intel 64 and IA-32 Architectures Software
// Developer's Manual, volume 1, chapter 18), for *_isa.cpp only. Spelled out as instructions, so
// that a set without AMX can hold code that runs where active_isa() is kAmx.
#pragma once

#include <cstdint>

#include "model/kernels/simd.h"

namespace model::FULGURITE_ISA::amx {

// How large each register is: rows of so many bytes.
class Shapes {
 public:
  void set(int tile, int64_t rows, int64_t row_bytes) noexcept {
    bytes_[16 + 2 * tile] = static_cast<uint8_t>(row_bytes);
    bytes_[48 + tile] = static_cast<uint8_t>(rows);
  }
  // For this thread, until release().
  void use() const noexcept { asm volatile("ldtilecfg %0" : : "m"(bytes_)); }

 private:
  uint8_t bytes_[64] = {1};  // palette 1
};

inline void release() noexcept {
  asm volatile("tilerelease" : : : "memory");
}

template <int kTile>
FULGURITE_INLINE void zero() noexcept {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// Rows lie `stride` bytes apart.
template <int kTile>
FULGURITE_INLINE void load_rows(const void* from, int64_t stride) noexcept {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
FULGURITE_INLINE void store_rows(void* to, int64_t stride) noexcept {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
}
// sum[m][n] += sum_k a[m][k] b[k / 4][4 n + k % 4], of int8_t.
template <int kSum, int kA, int kB>
FULGURITE_INLINE void add_product() noexcept {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}

}  // namespace model::FULGURITE_ISA::amx
