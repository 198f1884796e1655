#include "render/commands/frame_log.h"

#include <nlohmann/json.hpp>

#include "model/error.h"

namespace render::commands {

FrameLog::FrameLog(const std::string& path) {
  if (path.empty()) return;
  file_.reset(std::fopen(path.c_str(), "w"));
  if (file_ == nullptr) {
    throw fulgurite::Error(fulgurite::ExitCode::kFailed, "cannot be written", path,
                           "--timings names a file");
  }
}

void FrameLog::add(const Stage& stage, const gpu::Device& device) {
  if (file_ == nullptr) return;
  const Renderer& renderer = stage.renderer();
  const FrameStats& stats = renderer.stats();
  const gpu::LiveObjects live = device.live();
  nlohmann::ordered_json line;
  line["frame"] = frames_++;
  line["at_s"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  line["cpu_choreography_ms"] = stage.times().choreography_ms;
  line["cpu_labels_ms"] = stage.times().labels_ms;
  line["cpu_record_ms"] = stats.record_ms;
  line["gpu_ms"] = renderer.gpu_frame_ms();
  for (const PassTime& pass : renderer.pass_times()) line["passes"][pass.name] = pass.ms;
  line["rendered_width"] = stats.scene.width;
  line["rendered_height"] = stats.scene.height;
  line["draw_calls"] = stats.draw_calls;
  line["bolts"] = stats.bolts;
  line["bolts_lit"] = stats.bolts_lit;
  line["bolts_drawn"] = stats.bolts_drawn;
  line["live"] = {{"buffers", live.buffers},
                  {"images", live.images},
                  {"pipelines", live.pipelines},
                  {"semaphores", live.semaphores},
                  {"allocations", live.allocations}};
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() &&
      std::fflush(file_.get()) == 0)
    return;
  std::fprintf(stderr, "fulgurite: the timings can no longer be written (is the disk full?)\n");
  file_.reset();
}

}  // namespace render::commands
