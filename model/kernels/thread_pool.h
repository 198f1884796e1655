// A small fork-join pool. run() hands every thread one number and waits for all.
//
// Between runs the workers watch a counter for a few microseconds, so that the next of a row of
// short runs starts at once, and then sleep until they are woken.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace model {

class ThreadPool {
 public:
  // threads >= 1 counts the caller; threads - 1 are started here and sleep between runs.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(0) on the caller and task(1) .. task(size() - 1) on the workers and returns
  // when all are done. One caller at a time; task must not call run(). An exception of any
  // task is thrown again here (the lowest number's) after all have ended.
  void run(const std::function<void(int)>& task);

  // The part [first, last) of n items that belongs to thread i of `size`.
  static std::pair<int64_t, int64_t> share(int64_t n, int i, int size) noexcept {
    return {n * i / size, n * (i + 1) / size};
  }

 private:
  void work(int number);
  void call(int number) noexcept;
  void throw_first_failure();

  // Each on a cache line of its own: the caller writes one, the workers the other.
  alignas(64) std::atomic<uint32_t> round_ = 0;  // one more for every run
  alignas(64) std::atomic<int> busy_ = 0;        // workers that have not ended this round
  std::atomic<int> asleep_ = 0;                  // workers that wait for a call to wake up
  std::atomic<bool> caller_asleep_ = false;
  std::atomic<bool> failed_ = false;
  alignas(64) const std::function<void(int)>* task_ = nullptr;
  bool stop_ = false;
  int spins_ = 0;  // looks at a counter before sleeping
  std::vector<std::exception_ptr> failures_;
  std::vector<std::thread> workers_;
};

}  // namespace model
