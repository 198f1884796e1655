// A text that a user names, read whole.
#pragma once

#include <string>

namespace engine::commands {

// "-": stdin. Says on stderr where it is not UTF-8. Throws Error (failed) where it cannot be read
// or is larger than 1 GB.
std::string read_text_file(const std::string& path);

}  // namespace engine::commands
