#include "model/kernels/thread_pool.h"

#include <exception>

#include "model/error.h"

namespace model {

ThreadPool::ThreadPool(int threads) {
  CHECK(threads >= 1);
  failures_.resize(static_cast<size_t>(threads));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::call(int number) noexcept {
  try {
    (*task_)(number);
  } catch (...) {
    failures_[static_cast<size_t>(number)] = std::current_exception();
  }
}

void ThreadPool::run(const std::function<void(int)>& task) {
  {
    const std::lock_guard lock(mutex_);
    CHECK(busy_ == 0);
    task_ = &task;
    busy_ = size() - 1;
    ++round_;
  }
  start_.notify_all();
  call(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
  for (std::exception_ptr& failure : failures_) {
    if (failure) {
      const std::exception_ptr first = failure;
      for (std::exception_ptr& f : failures_) f = nullptr;
      std::rethrow_exception(first);
    }
  }
}

void ThreadPool::work(int number) {
  uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    call(number);
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      last = --busy_ == 0;
    }
    if (last) done_.notify_one();
  }
}

}  // namespace model
