// The command line's words, before they are read as flags.
#pragma once

#include <string>
#include <vector>

namespace engine::commands {

// Without the program's name; `view` is put before flags or a file that no command precedes, and
// `help` and `version` become flags.
// commands: the names of all. Throws Error (usage) when the first word is no command or when an
// argument that is no text is empty.
std::vector<std::string> words_of(int argc, char** argv, const std::vector<std::string>& commands);

}  // namespace engine::commands
