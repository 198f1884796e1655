// A small fork-join pool. run() calls a task once with every number and waits for all.
//
// Threads take the numbers as they come: where a worker is late, because it sleeps or another
// program has its processor, the caller does the worker's part too instead of waiting for it.
// Between runs the workers watch a counter for a few microseconds, so that the next of a row of
// short runs starts at once, and then sleep until they are woken.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace model {

class ThreadPool {
 public:
  // threads >= 1 counts the caller; threads - 1 are started here and sleep between runs. Throws
  // Error (failed) when the system has no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept { return size_; }

  // Calls task(0) .. task(size() - 1), each once, on the caller and the workers, and returns
  // when all are done. No two threads have the same number at a time. One caller at a time; task
  // must not call run(). An exception of any task is thrown again here (the lowest number's) after
  // all have ended.
  void run(const std::function<void(int)>& task);

  // Has the caller do `work` during the next run(), before its part of that, while the others have
  // begun; or in settle(), whichever comes first; what it throws comes out there. What was still
  // put off is done first.
  void beside(std::function<void()> work);
  // Does what is put off, if it has not been done.
  void settle();
  // Forgets what is put off.
  void drop() noexcept { beside_ = nullptr; }

  // What the run after the next one will read, each thread both halves of its share in order: who
  // waits fetches their beginnings into its cache, so that the memory is never idle. To be said
  // between runs. The bytes must outlive all runs but may be anything: nothing is read.
  void read_ahead(std::span<const std::byte> bytes) noexcept { ahead_ = bytes; }

  // The part [first, last) of n items that belongs to thread i of `size`.
  static std::pair<int64_t, int64_t> share(int64_t n, int i, int size) noexcept {
    return {n * i / size, n * (i + 1) / size};
  }

 private:
  // How far a thread has fetched its share of what was said to read_ahead().
  class Fetch {
   public:
    void begin(std::span<const std::byte> all, int thread, int size) noexcept;
    // A few cache lines more, or a pause when there is enough.
    void more() noexcept;

   private:
    const std::byte* of_ = nullptr;  // what this is a share of
    int64_t at_ = 0;                 // bytes of either half that have been fetched
    int64_t end_ = 0;
    int64_t begin_[2] = {};  // of the halves
  };

  void work(int thread);
  void end_workers() noexcept;
  void call(int number) noexcept;
  void throw_first_failure();

  bool take(uint64_t& open) noexcept;

  // The round in the upper half, the next number to take in the lower. On a cache line of its own.
  alignas(64) std::atomic<uint64_t> open_;
  alignas(64) std::atomic<int> busy_ = 0;  // numbers that have not ended in this round
  std::atomic<int> asleep_ = 0;            // workers that wait for a call to wake up
  std::atomic<bool> caller_asleep_ = false;
  std::atomic<bool> failed_ = false;
  alignas(64) const std::function<void(int)>* task_ = nullptr;
  std::span<const std::byte> ahead_;  // written between runs
  Fetch fetch_;                       // the caller's
  std::function<void()> beside_;      // the caller's
  std::atomic<bool> stop_ = false;
  int size_;       // threads, the caller among them
  int spins_ = 0;  // looks at a counter before sleeping
  std::vector<std::exception_ptr> failures_;
  std::vector<std::thread> workers_;
};

}  // namespace model
