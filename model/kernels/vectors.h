// The types of vectors, for *_isa.cpp only. With AVX2 those of 64 bytes are pairs: GCC keeps
// vectors that are wider than the machine's in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

// Vectors wider than the machine's are passed in memory; nothing here crosses a library.
#pragma GCC diagnostic ignored "-Wpsabi"

#define FULGURITE_INLINE inline __attribute__((always_inline))
#define FULGURITE_LAMBDA __attribute__((always_inline))

namespace model::FULGURITE_ISA {

// Two vectors as one: arithmetic by lanes, comparisons to all bits or none, (W)pair for the same
// bits as other lanes.
template <class V>
struct Pair {
  using Lane = std::remove_cvref_t<decltype(std::declval<V&>()[0])>;
  static constexpr int kHalf = sizeof(V) / sizeof(Lane);

  V low, high;

  FULGURITE_INLINE Lane operator[](int64_t k) const noexcept {
    return k < kHalf ? low[k] : high[k - kHalf];
  }
  template <class W>
  FULGURITE_INLINE explicit operator Pair<W>() const noexcept {
    return {(W)low, (W)high};
  }
};

template <class V>
FULGURITE_INLINE Pair<V> pair_of(const V& low, const V& high) noexcept {
  return {low, high};
}

template <class V>
FULGURITE_INLINE Pair<V> operator-(const Pair<V>& a) noexcept {
  return {-a.low, -a.high};
}
template <class V>
FULGURITE_INLINE Pair<V> operator~(const Pair<V>& a) noexcept {
  return {~a.low, ~a.high};
}

#define FULGURITE_PAIR_OPERATOR(op)                                                        \
  template <class V>                                                                       \
  FULGURITE_INLINE auto operator op(const Pair<V>& a, const Pair<V>& b) noexcept {         \
    return pair_of(a.low op b.low, a.high op b.high);                                      \
  }                                                                                        \
  template <class V>                                                                       \
  FULGURITE_INLINE auto operator op(const Pair<V>& a, typename Pair<V>::Lane b) noexcept { \
    return pair_of(a.low op b, a.high op b);                                               \
  }
#define FULGURITE_PAIR_ARITHMETIC(op)                                         \
  FULGURITE_PAIR_OPERATOR(op)                                                 \
  template <class V, class B>                                                 \
  FULGURITE_INLINE Pair<V>& operator op##=(Pair<V>& a, const B& b) noexcept { \
    return a = a op b;                                                        \
  }
FULGURITE_PAIR_ARITHMETIC(+)
FULGURITE_PAIR_ARITHMETIC(-)
FULGURITE_PAIR_ARITHMETIC(*)
FULGURITE_PAIR_ARITHMETIC(/)
FULGURITE_PAIR_ARITHMETIC(&)
FULGURITE_PAIR_ARITHMETIC(|)
FULGURITE_PAIR_ARITHMETIC(^)
FULGURITE_PAIR_ARITHMETIC(<<)
FULGURITE_PAIR_ARITHMETIC(>>)
FULGURITE_PAIR_OPERATOR(<)
FULGURITE_PAIR_OPERATOR(<=)
FULGURITE_PAIR_OPERATOR(>)
FULGURITE_PAIR_OPERATOR(>=)
FULGURITE_PAIR_OPERATOR(==)
#undef FULGURITE_PAIR_ARITHMETIC
#undef FULGURITE_PAIR_OPERATOR

using F32x4 = float __attribute__((vector_size(16)));
using F32x8 = float __attribute__((vector_size(32)));
using I32x4 = int32_t __attribute__((vector_size(16)));
using I32x8 = int32_t __attribute__((vector_size(32)));
using U32x8 = uint32_t __attribute__((vector_size(32)));
using I16x8 = int16_t __attribute__((vector_size(16)));
using I16x16 = int16_t __attribute__((vector_size(32)));
using U16x16 = uint16_t __attribute__((vector_size(32)));
using I8x8 = int8_t __attribute__((vector_size(8)));
using I8x16 = int8_t __attribute__((vector_size(16)));
using U8x16 = uint8_t __attribute__((vector_size(16)));
using U8x32 = uint8_t __attribute__((vector_size(32)));
#if defined(__AVX512F__)
using U8x64 = uint8_t __attribute__((vector_size(64)));
using U32x16 = uint32_t __attribute__((vector_size(64)));
#endif

#if defined(__AVX2__) && !defined(__AVX512F__)
using F64x4 = double __attribute__((vector_size(32)));
using F32x16 = Pair<F32x8>;
using F64x8 = Pair<F64x4>;
using I32x16 = Pair<I32x8>;
#else
using F32x16 = float __attribute__((vector_size(64)));
using F64x8 = double __attribute__((vector_size(64)));
using I32x16 = int32_t __attribute__((vector_size(64)));
#endif

template <class V>
inline constexpr bool kIsPair = false;
template <class V>
inline constexpr bool kIsPair<Pair<V>> = true;

template <class V, class T>
FULGURITE_INLINE V load(const T* from) noexcept {
  if constexpr (kIsPair<V>) {
    using Half = decltype(V::low);
    const auto* at = reinterpret_cast<const char*>(from);
    return {load<Half>(at), load<Half>(at + sizeof(Half))};
  } else {
    V v;
    std::memcpy(&v, from, sizeof(V));
    return v;
  }
}

template <class V, class T>
FULGURITE_INLINE void store(T* to, const V& v) noexcept {
  if constexpr (kIsPair<V>) {
    auto* at = reinterpret_cast<char*>(to);
    store(at, v.low);
    store(at + sizeof(v.low), v.high);
  } else {
    std::memcpy(to, &v, sizeof(V));
  }
}

FULGURITE_INLINE F32x8 to_float(const I32x8& v) noexcept {
  return __builtin_convertvector(v, F32x8);
}
FULGURITE_INLINE I32x8 to_int(const F32x8& v) noexcept {
  return __builtin_convertvector(v, I32x8);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
template <class V>
FULGURITE_INLINE V low_half(const Pair<V>& v) noexcept {
  return v.low;
}
template <class V>
FULGURITE_INLINE V high_half(const Pair<V>& v) noexcept {
  return v.high;
}
FULGURITE_INLINE F32x16 to_float(const I32x16& v) noexcept {
  return {to_float(v.low), to_float(v.high)};
}
FULGURITE_INLINE I32x16 to_int(const F32x16& v) noexcept {
  return {to_int(v.low), to_int(v.high)};
}
FULGURITE_INLINE F64x8 to_double(const F32x8& v) noexcept {
  return {__builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3), F64x4),
          __builtin_convertvector(__builtin_shufflevector(v, v, 4, 5, 6, 7), F64x4)};
}
#else
FULGURITE_INLINE F32x8 low_half(const F32x16& v) noexcept {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
}
FULGURITE_INLINE F32x8 high_half(const F32x16& v) noexcept {
  return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}
FULGURITE_INLINE I32x8 low_half(const I32x16& v) noexcept {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
}
FULGURITE_INLINE I32x8 high_half(const I32x16& v) noexcept {
  return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}
FULGURITE_INLINE F32x16 to_float(const I32x16& v) noexcept {
  return __builtin_convertvector(v, F32x16);
}
FULGURITE_INLINE I32x16 to_int(const F32x16& v) noexcept {
  return __builtin_convertvector(v, I32x16);
}
FULGURITE_INLINE F64x8 to_double(const F32x8& v) noexcept {
  return __builtin_convertvector(v, F64x8);
}
#endif

}  // namespace model::FULGURITE_ISA
