// The command line's words, before they are read as flags.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace engine::commands {

// Without the program's name; `view` is put before flags or a file that no command precedes, and
// `help` and `version` become flags.
// commands: the names of all. Throws Error (usage) when the first word is no command or when an
// argument that is no text is empty.
std::vector<std::string> words_of(int argc, char** argv, const std::vector<std::string>& commands);

// A sentence about words that a command does not know, and what the first may have meant.
std::string not_expected(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace engine::commands
