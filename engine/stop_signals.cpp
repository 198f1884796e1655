#include "engine/stop_signals.h"

namespace engine {

namespace {

volatile std::sig_atomic_t stop_asked = 0;

}  // namespace

StopSignals::StopSignals() {
  stop_asked = 0;
  struct sigaction action = {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

bool StopSignals::asked() noexcept {
  return stop_asked != 0;
}

}  // namespace engine
