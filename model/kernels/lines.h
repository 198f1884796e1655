// Lists that begin a cache line: vectors across two lines cost twice, rows of AMX's tiles too.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace model {

// What is compiled for one instruction set gives a Set of its own, so that no other code is given
// its functions.
template <class T, class Set>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};
  template <class Other>
  struct rebind {
    using other = LineAllocator<Other, Set>;
  };

  LineAllocator() noexcept = default;
  template <class Other>
  LineAllocator(const LineAllocator<Other, Set>&) noexcept {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* at, size_t) noexcept { ::operator delete(at, kLine); }
  bool operator==(const LineAllocator&) const noexcept { return true; }
};

template <class T, class Set = void>
using Lines = std::vector<T, LineAllocator<T, Set>>;

}  // namespace model
