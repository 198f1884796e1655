// `fulgurite view`: the window.
#pragma once

#include "render/commands/options.h"

namespace render::commands {

// Returns the exit code when the window is closed. Throws Error (failed) when there is no
// display, Error (no_vulkan) when there is no driver for it.
int view(const SceneOptions& options);

}  // namespace render::commands
