#include "model/kernels/dispatch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace model {
namespace {

#if defined(__x86_64__)
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned part) noexcept {
  Registers r;
  if (__get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

// What __builtin_cpu_supports does not know with every compiler.
bool has_f16c() noexcept {
  return (cpuid(1, 0).c & bit_F16C) != 0;
}
bool has_avxvnni() noexcept {
  return (cpuid(7, 1).a & 1U << 4U) != 0;
}

// Linux wants to be asked, since a thread that uses the tile registers has 8 KB more to be saved
// (Documentation/arch/x86/xstate.rst).
bool may_use_amx() noexcept {
  constexpr unsigned kTile = 1U << 24U;
  constexpr unsigned kInt8 = 1U << 25U;
  const unsigned d = cpuid(7, 0).d;
  if ((d & kTile) == 0 || (d & kInt8) == 0) return false;
#if defined(__linux__)
  constexpr int kAskForPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;              // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kAskForPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

constexpr std::array kBestFirst = {Isa::kAmx, Isa::kAvx512, Isa::kAvxVnni, Isa::kAvx2, Isa::kBase};

Isa chosen_isa() noexcept {
  const char* wish = std::getenv("FULGURITE_ISA");
  for (const Isa isa : kBestFirst) {
    if (wish != nullptr && std::string_view(wish) == isa_name(isa) && isa_available(isa))
      return isa;
  }
  return *std::find_if(kBestFirst.begin(), kBestFirst.end(), isa_available);
}

}  // namespace

bool isa_available(Isa isa) noexcept {
  if (isa == Isa::kBase) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto avx2 = [] {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  };
  const auto avx512 = [] {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
  };
  if (isa == Isa::kAvx2) return avx2();
  if (isa == Isa::kAvxVnni) return avx2() && has_avxvnni();
  if (isa == Isa::kAvx512) return avx2() && avx512();
  if (isa == Isa::kAmx) return avx2() && avx512() && may_use_amx();
#endif
  return false;
}

Isa active_isa() noexcept {
  static const Isa isa = chosen_isa();
  return isa;
}

const char* isa_name(Isa isa) noexcept {
  switch (isa) {
    case Isa::kAmx:
      return "amx";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvxVnni:
      return "avxvnni";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kBase:
      break;
  }
  return "base";
}

}  // namespace model
