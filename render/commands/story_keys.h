// The keys that tell the story: time, channels and how it is drawn. The help panel lists them.
#pragma once

#include "render/player.h"
#include "render/stage.h"

namespace render::commands {

// key, mods: of GLFW. repeat: it is held down. steps, layers: of what is told. False: the key means
// something else.
bool story_key(int key, int mods, bool repeat, Player& player, Look& look, size_t steps,
               uint32_t layers);

// GLFW names keys by their places on a US keyboard; commands are letters, + and -, wherever the
// keyboard has them without Shift, and digits by their places. A comma and a full stop may need
// Shift: they are commands as the characters that are written.
int as_printed(int key, int scancode, int mods);

}  // namespace render::commands
