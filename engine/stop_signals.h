// Ctrl-C (SIGINT), SIGTERM and a terminal that goes away (SIGHUP) as a request to end well.
#pragma once

#include <array>
#include <csignal>

namespace engine {

// While one lives a signal asks to stop, and another one that comes a second later or more ends the
// program at once: until then it is the same wish, which timeout(1), for one, sends twice. One at a
// time; after it signals do again what they did before.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether one has come since the last StopSignals was made. Any thread.
  static bool asked() noexcept;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> old_ = {};
};

}  // namespace engine
