#include "model/kernels/thread_pool.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "model/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace model {
namespace {

// A look with its pause takes 15 to 50 ns: some 300 microseconds at most, as long as a layer is
// written into the trace.
constexpr int kSpins = 12000;

constexpr uint64_t kRound = uint64_t{1} << 32;

void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Bytes of a second cache of two megabytes, which has to hold what is being multiplied as well.
constexpr int64_t kFetchMost = int64_t{1} << 20;

}  // namespace

void ThreadPool::Fetch::begin(std::span<const std::byte> all, int thread, int size) noexcept {
  if (all.data() == of_) return;
  of_ = all.data();
  const auto [first, last] = share(std::ssize(all), thread, size);
  const int64_t half = (last - first) / 2;
  begin_[0] = first;
  begin_[1] = first + half;
  at_ = 0;
  end_ = std::min(half, kFetchMost / 2);
}

void ThreadPool::Fetch::more() noexcept {
  if (at_ == end_) return pause();
  constexpr int64_t kLine = 64;
  for (int i = 0; i < 4; ++i, at_ = std::min(at_ + kLine, end_)) {
    for (const int64_t begin : begin_) __builtin_prefetch(of_ + begin + at_, 0, 1);
  }
}

ThreadPool::ThreadPool(int threads) : size_(threads) {
  CHECK(threads >= 1);
  // With more threads than processors a watcher would only keep others from working.
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  spins_ = threads <= processors ? kSpins : 0;
  failures_.resize(static_cast<size_t>(threads));
  open_ = static_cast<uint64_t>(threads);  // nothing to take
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error&) {
    end_workers();
    throw fulgurite::Error(fulgurite::ExitCode::kFailed,
                           "only " + std::to_string(workers_.size() + 1) + " of " +
                               std::to_string(threads) + " threads can be started",
                           {}, "-t asks for fewer");
  } catch (...) {
    end_workers();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  end_workers();
}

void ThreadPool::end_workers() noexcept {
  stop_ = true;
  open_.fetch_add(kRound);
  open_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::beside(std::function<void()> work) {
  settle();
  beside_ = std::move(work);
}

void ThreadPool::settle() {
  if (beside_) std::exchange(beside_, nullptr)();
}

void ThreadPool::call(int number) noexcept {
  try {
    if (number == 0) settle();
    (*task_)(number);
  } catch (...) {
    failures_[static_cast<size_t>(number)] = std::current_exception();
    failed_.store(true, std::memory_order_relaxed);  // ordered by busy_
  }
}

// Takes the next number of the round in `open`, or tells what is open now.
bool ThreadPool::take(uint64_t& open) noexcept {
  while (static_cast<int>(open % kRound) < size()) {
    if (open_.compare_exchange_weak(open, open + 1)) return true;
  }
  return false;
}

void ThreadPool::run(const std::function<void(int)>& task) {
  CHECK(busy_.load(std::memory_order_acquire) == 0);
  task_ = &task;
  busy_.store(size(), std::memory_order_relaxed);
  // Sequentially consistent with asleep_: either this sees the sleeper, or it sees the round.
  uint64_t open = (open_.load(std::memory_order_relaxed) / kRound + 1) * kRound + 1;
  open_.store(open);
  if (asleep_.load() > 0) open_.notify_all();
  call(0);
  busy_.fetch_sub(1, std::memory_order_relaxed);
  while (take(open)) {
    call(static_cast<int>(open % kRound));
    busy_.fetch_sub(1, std::memory_order_relaxed);
  }
  int left = busy_.load(std::memory_order_acquire);
  if (left > 0) fetch_.begin(ahead_, 0, size());
  for (int i = 0; left > 0 && i < spins_; ++i) {
    fetch_.more();
    left = busy_.load(std::memory_order_acquire);
  }
  if (left > 0) {
    caller_asleep_.store(true);
    for (left = busy_.load(); left > 0; left = busy_.load()) busy_.wait(left);
    caller_asleep_.store(false);
  }
  if (failed_.load(std::memory_order_relaxed)) throw_first_failure();
}

void ThreadPool::throw_first_failure() {
  failed_.store(false, std::memory_order_relaxed);
  std::exception_ptr first;
  for (std::exception_ptr& failure : failures_) {
    if (failure && !first) first = failure;
    failure = nullptr;
  }
  std::rethrow_exception(first);
}

void ThreadPool::work(int thread) {
  uint64_t open = open_.load();
  Fetch fetch;
  for (;;) {
    while (take(open)) {
      const std::span<const std::byte> ahead = ahead_;
      call(static_cast<int>(open % kRound));
      fetch.begin(ahead, thread, size());
      if (busy_.fetch_sub(1) == 1 && caller_asleep_.load()) busy_.notify_one();
      open = open_.load();
    }
    const uint64_t seen = open;
    const auto idle = [&] { return (open = open_.load()) == seen && !stop_.load(); };
    for (int i = 0; i < spins_ && idle(); ++i) fetch.more();
    if (open == seen) {
      asleep_.fetch_add(1);
      while (idle()) open_.wait(seen);
      asleep_.fetch_sub(1);
    }
    if (stop_) return;
  }
}

}  // namespace model
