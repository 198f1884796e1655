// The commands that put a model to work and draw nothing: run, train, eval, tokenize and bench.
#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <functional>
#include <span>

#include "engine/commands/flags.h"

namespace engine::commands {

// As add_readings() does.
void add_running(const std::function<CLI::App&(const char* name, const char* what)>& add,
                 Flags& flags, std::span<const std::byte> builtin, int& exit_code);

}  // namespace engine::commands
