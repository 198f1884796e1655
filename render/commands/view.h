// `fulgurite view`: the window.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "render/commands/options.h"

namespace render::commands {

// What a window shows, and what has to live as long as that does.
struct Shown {
  SceneOptions options;
  std::shared_ptr<void> owner;
};

// Makes a model or a trace ready that somebody named in the window: a path or a name. Throws Error
// when it cannot be shown, see require_readable(); then what is shown stays.
using Opener = std::function<Shown(const std::string& what)>;

// Returns when the window is closed. Throws Error (failed) when there is no display, Error
// (no_vulkan) when there is no driver for it.
void view(Shown shown, const Opener& open);

}  // namespace render::commands
