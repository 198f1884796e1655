#include "engine/trace/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace trace {

namespace {

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

// The number in a file; "max", or no such file, is no limit.
uint64_t number_in(const std::string& path) {
  uint64_t bytes = 0;
  return std::ifstream(path) >> bytes ? bytes : kNone;
}

// Of a group and all that it lies in.
uint64_t least_on_the_way(const std::string& root, std::string group, const std::string& file) {
  uint64_t least = kNone;
  for (;;) {
    least = std::min(least, number_in(root + group + "/" + file));
    if (group.empty()) return least;
    group.resize(group.find_last_of('/'));
  }
}

}  // namespace

uint64_t group_limit(const std::string& groups, const std::string& root) {
  uint64_t least = kNone;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {  // number:controllers:/path
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line.compare(second + 1, 1, "/") != 0) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    if (path.ends_with('/')) path.pop_back();
    if (controllers == ",,") {
      least = std::min(least, least_on_the_way(root, path, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(least, least_on_the_way(root + "/memory", path, "memory.limit_in_bytes"));
    }
  }
  return least;
}

uint64_t machine_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGE_SIZE);
  constexpr uint64_t kGuess = uint64_t{8} << 30;
  const uint64_t all =
      pages > 0 && page > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) : kGuess;
  std::stringstream groups;
  groups << std::ifstream("/proc/self/cgroup").rdbuf();
  constexpr uint64_t kLeast = uint64_t{16} << 20;  // a limit below it is no plan
  return std::max(std::min(all, group_limit(groups.str(), "/sys/fs/cgroup")), kLeast);
}

}  // namespace trace
