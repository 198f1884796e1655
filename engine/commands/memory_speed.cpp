#include "engine/commands/memory_speed.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/trace/machine_memory.h"
#include "model/kernels/thread_pool.h"
#include "model/pages.h"

namespace engine::commands {

namespace {

size_t buffer_bytes() {
  constexpr size_t kMegabyte = size_t{1} << 20;
  const size_t cache = static_cast<size_t>(std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE)));
  return std::min(std::max(256 * kMegabyte, 4 * cache), trace::machine_memory() / 8);
}

uint64_t add_up(std::span<const uint64_t> words) noexcept {
  constexpr size_t kLanes = 16;
  std::array<uint64_t, kLanes> sums{};
  for (size_t i = 0; i + kLanes <= words.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += words[i + lane];
  }
  uint64_t sum = 0;
  for (const uint64_t lane : sums) sum += lane;
  return sum;
}

}  // namespace

double memory_bytes_per_s(int threads) {
  std::vector<uint64_t> buffer;
  buffer.reserve(buffer_bytes() / sizeof(uint64_t));
  model::ready_to_write(buffer.data(), buffer.capacity() * sizeof(uint64_t));
  buffer.resize(buffer.capacity(), 1);
  model::ThreadPool pool(threads);
  std::atomic<uint64_t> total{0};  // so that the reads are not optimised away
  std::array<double, 5> speeds{};
  for (double& speed : speeds) {
    const auto begin = std::chrono::steady_clock::now();
    pool.run([&](int thread) {
      const auto [first, last] =
          model::ThreadPool::share(static_cast<int64_t>(buffer.size()), thread, pool.size());
      total += add_up(
          std::span(buffer).subspan(static_cast<size_t>(first), static_cast<size_t>(last - first)));
    });
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    speed = static_cast<double>(buffer.size() * sizeof(uint64_t)) / seconds;
  }
  std::sort(speeds.begin(), speeds.end());
  return total > 0 ? speeds[speeds.size() / 2] : 0.0;
}

}  // namespace engine::commands
