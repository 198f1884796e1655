// How many threads to compute with.
#pragma once

namespace engine {

// Cores, not hardware threads, that this process may run on (two hardware threads of a core share
// its arithmetic and gain nothing here); at least 1.
int physical_cores();

// wanted, or, when that is 0, physical_cores().
inline int thread_count(int wanted) {
  return wanted > 0 ? wanted : physical_cores();
}

}  // namespace engine
