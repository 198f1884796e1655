#include "engine/stop_signals.h"

#include <atomic>
#include <cstdint>
#include <ctime>

namespace engine {

namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

std::atomic<int64_t> asked_at_ms{0};
static_assert(std::atomic<int64_t>::is_always_lock_free);
constexpr int64_t kSameWishMs = 1000;

int64_t now_ms() noexcept {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

void ask(int signal) {
  if (!stop_asked.exchange(true)) {
    asked_at_ms = now_ms();
  } else if (now_ms() - asked_at_ms >= kSameWishMs) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

StopSignals::StopSignals() {
  stop_asked = false;
  struct sigaction action = {};
  action.sa_handler = ask;
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

bool StopSignals::asked() noexcept {
  return stop_asked;
}

}  // namespace engine
