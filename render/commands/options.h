// What view, record and shot have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/control.h"
#include "engine/trace/log.h"
#include "render/stage.h"

namespace render::commands {

// What SceneOptions.camera may be.
inline constexpr const char* kViews =
    "home, front, left, right, back, top, close, crown, tape, a layer (L3), a node (L3.H1), a "
    "bookmark (@1), or yaw,pitch,distance[,x,y,z] in degrees and world units";

struct SceneOptions {
  trace::Log* log = nullptr;             // never null
  engine::Control* control = nullptr;    // null: no model runs here
  engine::Generate generate;             // what was asked of the engine
  std::optional<engine::Replay> replay;  // what it does first instead
  std::string followed;                  // where a trace still comes from; empty: it is all there
  std::function<void()> enough;          // says that no more of it is wanted; null: nobody cares
  uint32_t width = 1280;                 // pixels
  uint32_t height = 720;
  std::string camera = "home";  // see scene::named_pose; "@3": a bookmark
  std::string device;           // gpu::DeviceOptions::filter
  std::string select;           // a node to select, see scene/node_path.h; empty: none
  std::string tensor;           // of its tensors the one to show; empty: the first
  std::string timings;          // of a window: a file for what each frame took; empty: none
  double pace = 1.0;            // steps a second
  std::string zoom_to;          // a value of a tensor to fly to: "blk.3.attn_q.weight[17,204]"
  float zoom = 1.0F;            // of a still: share of the way there
  Look look;
  std::vector<trace::Log*> beside;  // of models that stand beside the first: see Stage
  scene::LayoutOptions layout;
};

// From now on Ctrl-C and SIGTERM end what is done in good order: interrupted() says that one came.
void watch_for_interrupts();
bool interrupted();

// WIDTHxHEIGHT into options.width and .height. Throws Error (usage).
void set_size(const std::string& text, SceneOptions& options);

// A list of panel_names(), or "none", into options.look. Throws Error (usage).
std::string panel_names();
void set_panels(const std::string& list, SceneOptions& options);

// A trace file's records are checked when they are read: by this, while what was shown before can
// stay; one that is followed has seconds to begin. Throws Error (bad model).
void require_readable(const SceneOptions& options);

// Waits until the log has described its model, looks up what the options name in it, and only then
// asks the engine to generate: that replaces an older file of the trace. False: meanwhile wanted()
// did not hold any more. Throws Error (usage, bad model).
bool begin(const SceneOptions& options, Stage& stage, const std::function<bool()>& wanted);

// Begins, and waits until the conversation in the log is over and the stage has taken it in; of a
// trace that is followed, the last one that has come, or what has come of it at an interrupt.
// Throws Error as begin() does, with the engine's words when it could not generate, and when it was
// interrupted.
void run_to_end(const SceneOptions& options, Stage& stage);

// The pose that the options name, at this playhead. Throws Error (usage) when there is none of that
// name.
scene::Pose first_pose(const SceneOptions& options, const Stage& stage, float aspect,
                       double playhead = 0.0);

// The value that options.zoom_to names; none when it is empty. Throws Error (usage).
std::optional<scene::CellRef> zoom_cell(const SceneOptions& options, const scene::Layout& layout);

// Node index + 1 of options.select; 0 when it is empty. Throws Error (usage), also when the node
// has no options.tensor.
uint32_t selected_node(const SceneOptions& options, const scene::Layout& layout);
// Selects that; a name of an expert stands for all of it.
void select_named(const SceneOptions& options, const scene::Layout& layout, View& view);

}  // namespace render::commands
