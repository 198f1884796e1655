// What a refusal costs: the limits of 64 MB and one second for files that are made to hurt.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <ctime>
#include <functional>

namespace tests {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FULGURITE_SANITIZED
#elif defined(__has_feature)  // Clang's way to tell
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FULGURITE_SANITIZED
#endif
#endif
#ifdef FULGURITE_SANITIZED
inline constexpr bool kSanitized = true;  // shadow memory is no measure of ours
#else
inline constexpr bool kSanitized = false;
#endif

inline constexpr size_t kMostPeakBytes = size_t{64} << 20;

// Of the processor: a machine that others use as well is no fault of the file's.
inline double seconds(const std::function<void()>& f) {
  const std::clock_t begin = std::clock();
  f();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

// Bytes that the process holds when it has held the most, after f, in a process of its own.
inline size_t peak_bytes(const std::function<void()>& f) {
  malloc_trim(0);  // what earlier tests have left
  const pid_t child = fork();
  if (child == 0) {
    f();
    _exit(0);
  }
  int status = 0;
  rusage usage{};
  EXPECT_EQ(child, wait4(child, &status, 0, &usage));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace tests
