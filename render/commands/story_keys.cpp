#include "render/commands/story_keys.h"

#include <GLFW/glfw3.h>

#include <algorithm>

namespace render::commands {

namespace {

constexpr double kNudge = 0.05;     // steps that an arrow moves by
constexpr float kGainStep = 0.25F;  // of a channel's gain

void channel_key(int channel, int mods, scene::Channels& channels) {
  const auto c = static_cast<size_t>(channel);
  const bool shift = (mods & GLFW_MOD_SHIFT) != 0;
  const bool more = shift && (mods & GLFW_MOD_CONTROL) == 0;
  if (!shift) {
    channels.on[c] = !channels.on[c];
    return;
  }
  channels.on[c] = true;
  channels.gain[c] = std::clamp(channels.gain[c] + (more ? kGainStep : -kGainStep), 0.0F,
                                scene::Channels::kMostGain);
}

bool time_key(int key, int mods, bool repeat, Player& player, size_t steps, uint32_t layers) {
  const scene::Clock clock(layers);
  const bool control = (mods & GLFW_MOD_CONTROL) != 0;
  const bool shift = (mods & GLFW_MOD_SHIFT) != 0;
  switch (key) {
    case GLFW_KEY_LEFT:
    case GLFW_KEY_RIGHT: {
      const int by = key == GLFW_KEY_RIGHT ? 1 : -1;
      if (control) {
        player.step(shift ? Stride::kOperation : Stride::kToken, by, clock, steps);
      } else {
        player.move(by * kNudge, steps);
      }
      return true;
    }
    case GLFW_KEY_UP:
    case GLFW_KEY_DOWN:
      if (!control) return false;
      player.step(Stride::kLayer, key == GLFW_KEY_UP ? 1 : -1, clock, steps);
      return true;
    case GLFW_KEY_PERIOD:
    case GLFW_KEY_COMMA:
      player.step(Stride::kOperation, key == GLFW_KEY_PERIOD ? 1 : -1, clock, steps);
      return true;
    case GLFW_KEY_EQUAL:
    case GLFW_KEY_KP_ADD:
      player.faster();
      return true;
    case GLFW_KEY_MINUS:
    case GLFW_KEY_KP_SUBTRACT:
      player.slower();
      return true;
    case GLFW_KEY_0:
      player.set_pace(Player::kDefaultPace);
      return true;
    case GLFW_KEY_SPACE:
      if (!repeat) player.toggle();
      return true;
    case GLFW_KEY_HOME:
      player.home();
      return true;
    case GLFW_KEY_END:
      player.follow(steps);
      return true;
    default:
      return false;
  }
}

}  // namespace

bool story_key(int key, int mods, bool repeat, Player& player, Look& look, size_t steps,
               uint32_t layers) {
  if (time_key(key, mods, repeat, player, steps, layers)) return true;
  if (key >= GLFW_KEY_1 && key < GLFW_KEY_1 + static_cast<int>(shaders::kChannelCount)) {
    // A channel that went on and off while its key is held would flash; see scene/eyes.h.
    if (!repeat || (mods & GLFW_MOD_SHIFT) != 0) channel_key(key - GLFW_KEY_1, mods, look.channels);
    return true;
  }
  if (repeat) return false;
  switch (key) {
    case GLFW_KEY_B:
      look.show_all = !look.show_all;
      return true;
    case GLFW_KEY_R:
      look.lens = !look.lens;
      return true;
    case GLFW_KEY_V:
      look.palette = static_cast<scene::PaletteName>((static_cast<size_t>(look.palette) + 1) %
                                                     scene::kPaletteCount);
      return true;
    case GLFW_KEY_T:
      look.theme = look.theme == scene::Theme::kDark ? scene::Theme::kLight : scene::Theme::kDark;
      return true;
    case GLFW_KEY_M:
      look.reduced_motion = !look.reduced_motion;
      return true;
    default:
      return false;
  }
}

int as_printed(int key, int scancode, int mods) {
  const bool digit = key >= GLFW_KEY_0 && key <= GLFW_KEY_9;  // a sign without Shift, on some
  if (digit && (mods & GLFW_MOD_SHIFT) != 0) return key;
  const char* name = glfwGetKeyName(key, scancode);
  if (name == nullptr || name[0] == '\0' || name[1] != '\0') return key;
  const char c = name[0];
  if (c >= 'a' && c <= 'z') return GLFW_KEY_A + (c - 'a');
  if (c >= 'A' && c <= 'Z') return GLFW_KEY_A + (c - 'A');
  switch (c) {
    case '+':
      return GLFW_KEY_EQUAL;
    case '-':
      return GLFW_KEY_MINUS;
    default:
      if (digit) return key;
      return key == GLFW_KEY_COMMA || key == GLFW_KEY_PERIOD ? GLFW_KEY_UNKNOWN : key;
  }
}

}  // namespace render::commands
