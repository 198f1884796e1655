// How many threads to compute with.
#pragma once

#include <functional>

namespace engine {

// Cores, not hardware threads, that this process may run on (two hardware threads of a core share
// its arithmetic and gain nothing here); at least 1.
int physical_cores();

// wanted, or, when that is 0, physical_cores().
inline int thread_count(int wanted) {
  return wanted > 0 ? wanted : physical_cores();
}

// Does work on a thread of lower priority and waits for it; the threads that it starts have that
// priority too. For a model that runs beside a picture: where both need the processor the picture
// goes first, and stays smooth. Throws what work throws.
void behind_the_picture(const std::function<void()>& work);

}  // namespace engine
