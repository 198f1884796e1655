#include "render/commands/bench_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "render/gpu/device.h"
#include "render/target/offscreen.h"
#include "render/ui/ui.h"
#include "render/video/png.h"

namespace render::commands {

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kWarmUp = 30;  // frames: pipelines are made, quality settles

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(values.size())))];
}

nlohmann::ordered_json percentiles(std::vector<double> values) {
  return {{"p50", percentile(values, 0.5)},
          {"p95", percentile(values, 0.95)},
          {"p99", percentile(values, 0.99)}};
}

// From the home view, half-way round and closer by 45 % in the middle.
void set_camera(scene::Pose& pose, const scene::Pose& home, double share) {
  const auto s = static_cast<float>(share);
  pose = home;
  pose.yaw += 0.6F * (0.5F - s);
  const float closer = std::sin(3.14159265F * s);
  pose.distance *= 1.0F - 0.45F * closer * closer;
}

struct Samples {
  std::vector<double> frame, choreography, labels, panels, record, gpu, heights;
  std::map<std::string, std::vector<double>> passes;
  uint32_t bolts = 0;
  std::vector<double> bolts_lit, bolts_drawn;
  uint32_t draw_calls = 0;
};

void sample(Samples& s, const Stage& stage, double panels_ms) {
  s.choreography.push_back(stage.times().choreography_ms);
  s.labels.push_back(stage.times().labels_ms);
  s.panels.push_back(panels_ms);
  const FrameStats& stats = stage.renderer().stats();
  s.record.push_back(stats.record_ms);
  s.bolts = std::max(s.bolts, stats.bolts);
  s.draw_calls = std::max(s.draw_calls, stats.draw_calls);
  s.bolts_lit.push_back(stats.bolts_lit);
  s.bolts_drawn.push_back(stats.bolts_drawn);
  s.heights.push_back(stats.scene.height);
  for (const PassTime& pass : stage.renderer().pass_times()) s.passes[pass.name].push_back(pass.ms);
  s.gpu.push_back(stage.renderer().gpu_frame_ms());
}

nlohmann::ordered_json measure(gpu::Device& device, const BenchRenderOptions& options) {
  const SceneOptions& scene = options.scene;
  if (!options.picture.empty()) check_picture(options.picture);
  Stage stage(device, *scene.log, options.full_quality ? Quality::kFull : Quality::kWindow,
              scene.layout, scene.beside);
  run_to_end(scene, stage);
  Player player;
  View view;
  view.look = scene.look;
  const scene::Pose home =
      first_pose(scene, stage, static_cast<float>(scene.width) / static_cast<float>(scene.height));
  Offscreen target(device, scene.width, scene.height);
  ui::Ui ui(nullptr, view.look.scale);
  ui::State state{stage, view, player, nullptr, scene.generate};
  const auto steps = static_cast<double>(stage.reader().steps());
  view.pace = Player::kDefaultPace;

  Samples samples;
  uint64_t tokens = 0;
  auto began = Clock::now();
  for (uint32_t i = 0; i < options.frames + kWarmUp; ++i) {
    const double share = i < kWarmUp ? 0.0 : static_cast<double>(i - kWarmUp) / options.frames;
    const auto begin = Clock::now();
    const uint64_t written = options.meanwhile ? options.meanwhile() : 0;
    if (i == kWarmUp) {
      began = begin;
      tokens = written;
    }
    view.playhead = share * steps;
    set_camera(view.camera.pose, home, share);
    player.seek(view.playhead, stage.reader().steps());
    const auto panels = Clock::now();
    view.ui = ui.draw_overlay(state, glm::vec2(scene.width, scene.height), 0.033F);
    const double panels_ms = ms_since(panels);
    stage.draw(target, view);
    if (i < kWarmUp) continue;
    samples.frame.push_back(ms_since(begin));
    sample(samples, stage, panels_ms);
    if (!options.picture.empty() && i == kWarmUp + options.frames / 2)
      write_png(options.picture, scene.width, scene.height, target.read_back());
  }
  const double seconds = ms_since(began) * 1e-3;
  const auto rendered_height = static_cast<uint32_t>(percentile(samples.heights, 0.5));

  nlohmann::ordered_json json;
  json["device"] = device.name();
  json["quality"] = options.full_quality ? "full" : "window";
  json["width"] = scene.width;
  json["height"] = scene.height;
  json["rendered_width"] =
      rendered_height == scene.height
          ? scene.width
          : static_cast<uint32_t>(uint64_t{scene.width} * rendered_height / scene.height);
  json["rendered_height"] = rendered_height;
  json["frames"] = options.frames;
  json["frames_per_s"] = options.frames / seconds;
  json["frame_ms"] = percentiles(samples.frame);
  json["cpu_choreography_ms"] = percentiles(samples.choreography);
  json["cpu_labels_ms"] = percentiles(samples.labels);
  json["cpu_panels_ms"] = percentiles(samples.panels);
  json["cpu_record_ms"] = percentiles(samples.record);
  json["gpu_ms"] = percentiles(samples.gpu);
  for (auto& [name, ms] : samples.passes) json["passes"][name] = percentile(ms, 0.5);
  json["nodes"] = stage.layout().elements();
  json["bolts"] = samples.bolts;
  json["bolts_lit"] = static_cast<uint64_t>(percentile(samples.bolts_lit, 0.5));
  json["bolts_drawn"] = static_cast<uint64_t>(percentile(samples.bolts_drawn, 0.5));
  json["draw_calls"] = samples.draw_calls;
  if (options.meanwhile) {
    const uint64_t written = options.meanwhile();
    json["generated_tokens"] = written - tokens;
    json["generated_tokens_per_s"] = static_cast<double>(written - tokens) / seconds;
  }
  return json;
}

void print(const nlohmann::ordered_json& json) {
  const auto number = [&](const char* name) { return json[name].get<uint64_t>(); };
  fmt::print("{}, {} quality, {}x{} (scene {}x{}), {} frames: {} nodes, {} bolts, {} draw calls\n",
             json["device"].get<std::string>(), json["quality"].get<std::string>(), number("width"),
             number("height"), number("rendered_width"), number("rendered_height"),
             number("frames"), number("nodes"), number("bolts"), number("draw_calls"));
  if (json.contains("generated_tokens_per_s")) {
    fmt::print("the model wrote {:.0f} tokens/s meanwhile\n",
               json["generated_tokens_per_s"].get<double>());
  }
  for (const char* name : {"frame_ms", "cpu_choreography_ms", "cpu_labels_ms", "cpu_panels_ms",
                           "cpu_record_ms", "gpu_ms"}) {
    fmt::print("{:<20} p50 {:7.2f}  p95 {:7.2f}  p99 {:7.2f}\n", name,
               json[name]["p50"].get<double>(), json[name]["p95"].get<double>(),
               json[name]["p99"].get<double>());
  }
  if (!json.contains("passes")) return;
  for (const auto& [name, ms] : json["passes"].items())
    fmt::print("  {:<18} p50 {:7.2f}\n", name, ms.get<double>());
}

}  // namespace

int bench_render(const BenchRenderOptions& options) {
  gpu::DeviceOptions device_options;
  device_options.filter = options.scene.device;
  gpu::Device device(device_options);
  const nlohmann::ordered_json json = measure(device, options);
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
  } else {
    print(json);
  }
  return 0;
}

}  // namespace render::commands
