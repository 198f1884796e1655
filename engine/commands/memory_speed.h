// How fast this machine reads memory: no model can generate faster than this divided by the bytes
// of weights that a token reads.
#pragma once

namespace engine::commands {

// Bytes a second that so many threads read together from a buffer much larger than the caches (at
// least 256 MB, four times the last level, at most an eighth of the machine's memory): the median
// of five plain passes. Takes about a second.
double memory_bytes_per_s(int threads);

}  // namespace engine::commands
