// Streams 0, 1 and 2 of the program.
#pragma once

#include <string>

namespace engine {

// Opens those that the caller had closed, to nothing; what writes to stdout fails then. The next
// file that is opened would otherwise have the number of one, and messages would be written into
// it. Before anything else is opened.
void keep_standard_streams() noexcept;

// A reader that is gone, or a file as large as it may be, is then what a write says, not the end
// of a program that has something to save.
void ignore_failing_writes() noexcept;

// Whether stdout is a pipe that nobody reads any more.
bool reader_is_gone() noexcept;

// What a command returns then: as a shell says that SIGPIPE ended a program.
inline constexpr int kReaderIsGone = 141;

// Ends the program as one ends that writes into such a pipe: by SIGPIPE, without a sentence.
[[noreturn]] void end_without_reader() noexcept;

// A line to stderr, for people. When it cannot be written nothing else is lost.
void tell(const std::string& line) noexcept;

}  // namespace engine
