// A small fork-join pool. run() hands every thread one number and waits for all; who does
// what is decided by that number alone, so that sums come out the same every time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
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

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(int)>* task_ = nullptr;
  uint64_t round_ = 0;
  int busy_ = 0;
  bool stop_ = false;
  std::vector<std::exception_ptr> failures_;
  std::vector<std::thread> workers_;
};

}  // namespace model
