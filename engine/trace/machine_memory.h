// How much memory there is to plan with.
#pragma once

#include <cstdint>
#include <string>

namespace trace {

// Bytes: the machine's memory, or less where a control group (a container) limits this process.
// Never 0.
uint64_t machine_memory();

// The smallest limit that `groups` (what /proc/self/cgroup says) puts on memory under `root`
// (/sys/fs/cgroup), versions 1 and 2; UINT64_MAX where there is none.
// Source: cgroups(7), the kernel's admin-guide/cgroup-v2 "memory.max" and cgroup-v1 "memory".
uint64_t group_limit(const std::string& groups, const std::string& root);

}  // namespace trace
