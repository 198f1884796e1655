// The commands that look at models' files and run none: inspect, models and quantize.
#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <functional>
#include <span>

namespace engine::commands {

// As add_readings() does.
void add_files(const std::function<CLI::App&(const char* name, const char* what)>& add,
               std::span<const std::byte> builtin, int& exit_code);

}  // namespace engine::commands
