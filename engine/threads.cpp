#include "engine/threads.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace engine {

namespace {

// A number that Linux tells about a hardware thread; -1: it does not.
int topology(int cpu, const char* what) {
  std::ifstream in("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + what);
  int value = -1;
  return in >> value ? value : -1;
}

}  // namespace

int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::set<std::pair<int, int>> cores;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      const int core = topology(cpu, "core_id");
      cores.insert(core < 0 ? std::pair{-1, cpu}
                            : std::pair{topology(cpu, "physical_package_id"), core});
    }
  }
  if (!cores.empty()) return static_cast<int>(cores.size());
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void behind_the_picture(const std::function<void()>& work) {
  constexpr int kLower = 5;  // a third of the weight of a thread of usual priority
  std::exception_ptr failure;
  std::thread([&] {
    // Of this thread alone, as Linux has it.
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kLower);
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace engine
