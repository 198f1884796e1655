// Which instruction set the kernels use, decided once at run time.
//
// Files named *_isa.cpp are compiled once per set, each into its own namespace
// (model::isa_base, isa_avx2, isa_avxvnni, isa_avx512). A header that offers such a kernel
// declares it with FULGURITE_DECLARE_ISA and calls it through FULGURITE_PICK:
//
//   FULGURITE_DECLARE_ISA(void twice(float* x, int64_t n);)
//   inline void twice(float* x, int64_t n) {
//     static const auto kernel = FULGURITE_PICK(twice);
//     kernel(x, n);
//   }
#pragma once

namespace model {

// kAvxVnni: AVX2 and the sums of four products of bytes that newer desktops have without AVX-512.
// kAmx: the kernels of kAvx512, with AMX where that has a kernel of its own.
enum class Isa { kBase, kAvx2, kAvxVnni, kAvx512, kAmx };

// The best set of this processor and operating system. The environment variable
// FULGURITE_ISA (base, avx2, avxvnni, avx512, amx) lowers it, for tests; a set that the machine
// lacks is never chosen. The first call decides. Thread-safe.
Isa active_isa() noexcept;

// Whether this processor and operating system have it.
bool isa_available(Isa isa) noexcept;

const char* isa_name(Isa isa) noexcept;

template <class F>
F* pick_isa(F* base, F* avx2, F* avxvnni, F* avx512) noexcept {
  switch (active_isa()) {
    case Isa::kAmx:
    case Isa::kAvx512:
      return avx512;
    case Isa::kAvxVnni:
      return avxvnni;
    case Isa::kAvx2:
      return avx2;
    case Isa::kBase:
      break;
  }
  return base;
}

}  // namespace model

// Both macros are used inside namespace model.
#if defined(__x86_64__)
#define FULGURITE_DECLARE_ISA(...) \
  namespace isa_base {             \
  __VA_ARGS__                      \
  }                                \
  namespace isa_avx2 {             \
  __VA_ARGS__                      \
  }                                \
  namespace isa_avxvnni {          \
  __VA_ARGS__                      \
  }                                \
  namespace isa_avx512 {           \
  __VA_ARGS__                      \
  }
#define FULGURITE_PICK(function)                                                      \
  ::model::pick_isa(&isa_base::function, &isa_avx2::function, &isa_avxvnni::function, \
                    &isa_avx512::function)
#else
#define FULGURITE_DECLARE_ISA(...) \
  namespace isa_base {             \
  __VA_ARGS__                      \
  }
#define FULGURITE_PICK(function) (&isa_base::function)
#endif
