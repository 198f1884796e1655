#include "engine/stop_signals.h"

#include <atomic>
#include <cstdint>
#include <ctime>

#include "model/format/atomic_file.h"

namespace engine {

namespace {

std::atomic<int64_t> asked_at_ms{0};  // 0: not asked
static_assert(std::atomic<int64_t>::is_always_lock_free, "a signal handler writes it");
constexpr int64_t kSameWishMs = 1000;

int64_t now_ms() noexcept {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000 + 1;
}

void ask(int signal) {
  const int64_t now = now_ms();
  int64_t first = 0;
  if (!asked_at_ms.compare_exchange_strong(first, now) && now - first >= kSameWishMs) {
    model::remove_unfinished_files();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

StopSignals::StopSignals() {
  asked_at_ms = 0;
  struct sigaction action = {};
  action.sa_handler = ask;
  action.sa_flags = SA_RESTART;  // a write that waits for its reader goes on and is whole
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &old_[i]);
    // nohup has it ignored.
    if (kSignals[i] == SIGHUP && old_[i].sa_handler == SIG_IGN)
      sigaction(SIGHUP, &old_[i], nullptr);
  }
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &old_[i], nullptr);
}

bool StopSignals::asked() noexcept {
  return asked_at_ms != 0;
}

}  // namespace engine
