// The commands that run a model over a given text and say what it made of it: logits, taps, tap,
// lens and attribution.
#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <functional>
#include <span>

#include "engine/commands/flags.h"

namespace engine::commands {

// add: adds a command by its name and what it does. builtin: the model without -m. When the command
// line that is parsed names one, it runs then and sets the exit code; it throws as they do. What is
// passed must outlive the parsing.
void add_readings(const std::function<CLI::App&(const char* name, const char* what)>& add,
                  Flags& flags, std::span<const std::byte> builtin, int& exit_code);

}  // namespace engine::commands
