// Streams 0, 1 and 2 of the program.
#pragma once

namespace engine {

// Opens those that the caller had closed, to nothing; what writes to stdout fails then. The next
// file that is opened would otherwise have the number of one, and messages would be written into
// it. Before anything else is opened.
void keep_standard_streams() noexcept;

}  // namespace engine
