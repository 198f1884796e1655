#include "render/commands/record.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "model/error.h"
#include "render/gpu/device.h"
#include "render/pass/font.h"
#include "render/scene/eyes.h"
#include "render/scene/zoom.h"
#include "render/target/offscreen.h"
#include "render/ui/ui.h"
#include "render/video/encoder.h"
#include "render/video/frame_hash.h"
#include "render/video/png.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Of letters that the pictures have not.
void tell_missing_fonts() {
  const std::string missing = FontSet::shared().take_missing();
  if (!missing.empty()) std::fprintf(stderr, "fulgurite: %s\n", missing.c_str());
}

// The still that `shot` takes by default: the crown is lit, the upper layers still glow.
constexpr double kTypicalShare = 0.85;

// The end of a film is looked at: seconds, and no more than this share of it.
constexpr double kHold = 1.2;
constexpr double kMostHold = 0.15;

// How long a picture waits for what it asked the engine.
constexpr std::chrono::seconds kPatience{60};

// How far the camera drifts around the scene during a recording, radians.
constexpr float kDrift = 0.22F;

float panel_scale(const SceneOptions& scene) {
  return std::max(scene::words_scale({scene.width, scene.height}), 0.5F) * scene.look.scale;
}

// A bar on a terminal; elsewhere a line every quarter.
class Progress {
 public:
  explicit Progress(uint64_t total) : total_(total), terminal_(isatty(STDERR_FILENO) != 0) {}

  void show(uint64_t done) {
    const uint64_t percent = done * 100 / total_;
    if (percent == percent_) return;
    if (terminal_) {
      constexpr int kWidth = 40;
      const int filled = static_cast<int>(done * kWidth / total_);
      std::fprintf(stderr, "\rrecording [%s%s] %3u %%",
                   std::string(static_cast<size_t>(filled), '#').c_str(),
                   std::string(static_cast<size_t>(kWidth - filled), ' ').c_str(),
                   static_cast<unsigned>(percent));
      if (done == total_) std::fputc('\n', stderr);
      std::fflush(stderr);
    } else if (percent / 25 != percent_ / 25) {
      std::fprintf(stderr, "recording: %u %%\n", static_cast<unsigned>(percent));
    }
    percent_ = percent;
  }

 private:
  uint64_t total_;
  uint64_t percent_ = 0;
  bool terminal_;
};

// Draws the panels: again until the engine, which lives on, has answered what the inspector asks.
template <class Overlay>
void settle(Stage& stage, const ui::State& state, const Overlay& overlay) {
  overlay();
  const auto begin = std::chrono::steady_clock::now();
  while (state.asks && !interrupted()) {
    if (std::chrono::steady_clock::now() - begin > kPatience) {
      throw Error(ExitCode::kFailed, "the tensor was not there within a minute", "--select",
                  "try again without it");
    }
    usleep(500);
    stage.poll();
    overlay();
  }
}

struct File {
  explicit File(const std::string& named) : path(named) {
    if (path.empty()) return;
    file = std::fopen(path.c_str(), "w");
    if (file == nullptr) {
      throw Error(ExitCode::kRecordingFailed, "cannot be written", path,
                  "choose a folder that can be written");
    }
  }
  ~File() {
    if (file != nullptr) std::fclose(file);
  }
  void finish() {
    if (file == nullptr || std::fflush(file) == 0) return;
    throw Error(ExitCode::kRecordingFailed, "cannot be written to its end", path,
                "is the disk full?");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path;
  std::FILE* file = nullptr;
};

}  // namespace

int record(const RecordOptions& options) {
  const SceneOptions& scene = options.scene;
  Player player;
  watch_for_interrupts();
  check_writable(options.output);
  const EncoderOptions video{options.output, scene.width, scene.height, options.fps};
  check_video(video);
  gpu::DeviceOptions device_options;
  device_options.filter = scene.device;
  gpu::Device device(device_options);
  Stage stage(device, *scene.log, Quality::kFull, scene.layout, scene.beside);
  run_to_end(scene, stage);

  const auto steps = static_cast<double>(stage.reader().steps());
  // A structure at rest is looked at for a while.
  const double length = stage.at_rest() ? 8.0 : steps / scene.pace;
  const double seconds = options.seconds > 0.0 ? options.seconds : length;
  const auto frames = static_cast<uint64_t>(std::max(1.0, std::ceil(seconds * options.fps)));
  const float aspect = static_cast<float>(scene.width) / static_cast<float>(scene.height);

  View view;
  view.look = scene.look;
  const double moving = seconds - std::min(kHold, kMostHold * seconds);
  view.pace = steps / moving;
  view.plays = true;
  view.merge = scene::merge_for(steps, moving, scene.look.reduced_motion);
  view.camera.pose = first_pose(scene, stage, aspect, steps);
  select_named(scene, stage.layout(), view);
  const float yaw = view.camera.pose.yaw;
  const std::optional<scene::CellRef> cell = zoom_cell(scene, stage.layout());
  const scene::Pose start = view.camera.pose;
  stage.ask(scene.control, interrupted);
  view.selected_cell = cell;

  if (interrupted())
    throw Error(ExitCode::kRecordingFailed, "interrupted before its first frame", options.output);
  // Only now, when nothing but the disk can fail: what was there before stays until here.
  File hashes(options.frame_hashes);
  Encoder encoder(video);
  Offscreen target(device, scene.width, scene.height, [&](uint64_t, std::span<const uint8_t> rgba) {
    if (hashes.file != nullptr) {
      std::fprintf(hashes.file, "%016llx\n", static_cast<unsigned long long>(frame_hash(rgba)));
    }
    encoder.add(rgba);
  });
  ui::Ui ui(nullptr, panel_scale(scene));
  ui::State state{stage, view, player, scene.control, scene.generate};
  state.wanted_tensor = scene.tensor;

  Progress progress(frames);
  const glm::vec2 size(scene.width, scene.height);
  const auto overlay = [&] {
    view.ui = ui.draw_overlay(state, size, static_cast<float>(1.0 / options.fps));
  };
  for (int i = 0; i < 3; ++i) settle(stage, state, overlay);  // panels measure themselves
  for (uint64_t i = 0; i < frames && (i == 0 || !interrupted()); ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(frames);
    view.playhead = std::min(share * seconds / moving, 1.0) * steps;
    player.seek(view.playhead, stage.reader().steps());
    if (cell) {
      // There in time to read the number.
      view.camera.pose = scene::on_the_way(start, scene::cell_pose(stage.layout(), *cell, aspect),
                                           static_cast<float>(share) / 0.88F);
    } else if (!view.look.reduced_motion) {
      view.camera.pose.yaw = yaw + kDrift * (0.5F - static_cast<float>(share));
    }
    settle(stage, state, overlay);
    stage.look_at_tensors(view, size);
    if (i > 0 && interrupted()) break;  // before a frame whose numbers are still on their way
    stage.draw(target, view);
    progress.show(i + 1);
  }
  target.flush();
  encoder.finish();
  hashes.finish();
  std::fprintf(stderr, "%s: %s, %llu frames, %ux%u\n", interrupted() ? "interrupted" : "recorded",
               encoder.output().c_str(), static_cast<unsigned long long>(encoder.frames()),
               encoder.width(), encoder.height());
  tell_missing_fonts();
  return 0;
}

int shot(const ShotOptions& options) {
  const SceneOptions& scene = options.scene;
  watch_for_interrupts();
  check_picture(options.output);
  gpu::DeviceOptions device_options;
  device_options.filter = scene.device;
  gpu::Device device(device_options);
  Stage stage(device, *scene.log, Quality::kFull, scene.layout, scene.beside);
  run_to_end(scene, stage);
  const size_t steps = stage.reader().steps();
  const double typical = stage.at_rest() ? 0.0 : static_cast<double>(steps) - 1.0 + kTypicalShare;
  const double playhead = options.at.value_or(typical);
  if (!(playhead >= 0.0) || playhead > static_cast<double>(steps)) {
    throw Error(ExitCode::kUsage, "must lie between 0 and " + std::to_string(steps), "--at",
                "it counts forward steps: the prompt is step 0");
  }
  Player player;
  player.seek(playhead, steps);
  View view;
  view.look = scene.look;
  view.playhead = playhead;
  view.camera.pose = first_pose(
      scene, stage, static_cast<float>(scene.width) / static_cast<float>(scene.height), playhead);
  select_named(scene, stage.layout(), view);
  stage.ask(scene.control, interrupted);
  const auto cell = zoom_cell(scene, stage.layout());
  if (cell) {
    const float aspect = static_cast<float>(scene.width) / static_cast<float>(scene.height);
    view.camera.pose = scene::on_the_way(
        view.camera.pose, scene::cell_pose(stage.layout(), *cell, aspect), scene.zoom);
    view.selected_cell = cell;
  }
  Offscreen target(device, scene.width, scene.height);
  ui::Ui ui(nullptr, panel_scale(scene));
  ui::State state{stage, view, player, scene.control, scene.generate};
  state.wanted_tensor = scene.tensor;
  stage.look_at_tensors(view, glm::vec2(scene.width, scene.height));
  const auto overlay = [&] {
    view.ui = ui.draw_overlay(state, glm::vec2(scene.width, scene.height), 0.1F);
  };
  for (int i = 0; i < 4; ++i) settle(stage, state, overlay);  // panels measure themselves
  stage.draw(target, view);
  if (interrupted() && stage.tensors().store().waiting())
    throw Error(ExitCode::kRecordingFailed, "interrupted before its numbers came", options.output);
  write_png(options.output, scene.width, scene.height, target.read_back());
  if (cell) {
    // What the picture says of it, where one is near enough for it to say something.
    const auto sheet = scene::find_sheet(stage.layout(), cell->sheet);
    if (const auto value = stage.tensors().store().value(*sheet, *cell)) {
      std::printf("%s = %.9g\n", scene.zoom_to.c_str(), double{*value});
    } else if (scene.control == nullptr) {
      std::fprintf(stderr,
                   "%s has no number here: that needs a running model: beside a trace, -m\n",
                   scene.zoom_to.c_str());
    }
  }
  std::fprintf(stderr, "picture: %s\n", options.output.c_str());
  tell_missing_fonts();
  return 0;
}

}  // namespace render::commands
