#include "render/commands/bench_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "render/gpu/device.h"
#include "render/target/offscreen.h"
#include "render/ui/ui.h"

namespace render::commands {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

nlohmann::ordered_json percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[std::min(values.size() - 1,
                           static_cast<size_t>(share * static_cast<double>(values.size())))];
  };
  return {{"p50", at(0.5)}, {"p95", at(0.95)}, {"p99", at(0.99)}};
}

nlohmann::ordered_json measure(gpu::Device& device, const BenchRenderOptions& options,
                               Quality quality) {
  const SceneOptions& scene = options.scene;
  Stage stage(device, *scene.log, quality, scene.layout, scene.beside);
  wait_for_end(stage);
  Player player;
  View view;
  view.look = scene.look;
  view.camera.pose =
      first_pose(scene, stage, static_cast<float>(scene.width) / static_cast<float>(scene.height));
  const float yaw = view.camera.pose.yaw;
  Offscreen target(device, scene.width, scene.height);
  ui::Ui ui(nullptr, view.look.scale);
  ui::State state{stage, view, player, nullptr, scene.generate};
  const auto steps = static_cast<double>(stage.reader().steps());
  view.pace = Player::kDefaultPace;

  constexpr uint32_t kWarmUp = 8;
  std::vector<double> frame_ms;
  std::vector<double> cpu_ms;
  std::map<std::string, std::vector<double>> passes;
  for (uint32_t i = 0; i < options.frames + kWarmUp; ++i) {
    const double share = i < kWarmUp ? 0.0 : static_cast<double>(i - kWarmUp) / options.frames;
    view.playhead = share * steps;
    view.camera.pose.yaw = yaw + 0.6F * (0.5F - static_cast<float>(share));
    player.seek(view.playhead, stage.reader().steps());
    const auto begin = Clock::now();
    view.ui = ui.draw_overlay(state, glm::vec2(scene.width, scene.height), 0.033F);
    stage.draw(target, view);
    const double cpu = ms_since(begin);
    device.wait_idle();
    if (i < kWarmUp) continue;
    frame_ms.push_back(ms_since(begin));
    cpu_ms.push_back(cpu);
    for (const PassTime& pass : stage.renderer().pass_times()) passes[pass.name].push_back(pass.ms);
  }
  nlohmann::ordered_json result;
  result["frame_ms"] = percentiles(frame_ms);
  result["cpu_ms"] = percentiles(cpu_ms);
  for (const auto& [name, ms] : passes) result["passes"][name] = percentiles(ms);
  double sum = 0.0;
  for (const double ms : frame_ms) sum += ms;
  result["frames_per_s"] = 1e3 * static_cast<double>(frame_ms.size()) / sum;
  result["nodes"] = stage.layout().nodes().size();
  return result;
}

}  // namespace

int bench_render(const BenchRenderOptions& options) {
  gpu::DeviceOptions device_options;
  device_options.filter = options.scene.device;
  gpu::Device device(device_options);
  nlohmann::ordered_json json;
  json["device"] = device.name();
  json["width"] = options.scene.width;
  json["height"] = options.scene.height;
  json["window"] = measure(device, options, Quality::kWindow);
  json["full"] = measure(device, options, Quality::kFull);
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print("{}, {}x{}, {} nodes, {} frames\n", device.name(), options.scene.width,
             options.scene.height, json["window"]["nodes"].get<size_t>(), options.frames);
  for (const char* quality : {"window", "full"}) {
    const auto& q = json[quality];
    fmt::print("{:<7} frame ms p50 {:6.1f}  p95 {:6.1f}   CPU ms p50 {:5.2f}   {:5.1f} frames/s\n",
               quality, q["frame_ms"]["p50"].get<double>(), q["frame_ms"]["p95"].get<double>(),
               q["cpu_ms"]["p50"].get<double>(), q["frames_per_s"].get<double>());
    for (const auto& [name, ms] : q["passes"].items()) {
      fmt::print("        {:<10} p50 {:6.2f} ms\n", name, ms["p50"].get<double>());
    }
  }
  return 0;
}

}  // namespace render::commands
