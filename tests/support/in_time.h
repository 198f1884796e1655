// Waiting for what another thread or process does.
#pragma once

#include <chrono>
#include <thread>

namespace tests {

// Whether it comes true within half a minute, more than it can take.
template <class Holds>
bool in_time(Holds&& holds) {
  const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > latest) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace tests
