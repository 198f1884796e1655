// What the frame took: on the GPU pass by pass, on the CPU before that.
#include <imgui.h>

#include "render/ui/ui.h"

namespace ui {

void panel_times(State& state) {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(display.x - em, em), ImGuiCond_Appearing, ImVec2(1.0F, 0.0F));
  if (ImGui::Begin("Times", &state.times,
                   ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings)) {
    const render::Renderer& renderer = state.stage.renderer();
    const auto row = [](const char* name, double ms) { ImGui::Text("%-14s %6.2f ms", name, ms); };
    ImGui::TextDisabled("GPU");
    for (const render::PassTime& pass : renderer.pass_times()) row(pass.name.c_str(), pass.ms);
    row("whole frame", renderer.gpu_frame_ms());
    ImGui::TextDisabled("CPU");
    row("choreography", state.stage.times().choreography_ms);
    row("labels", state.stage.times().labels_ms);
    row("recording", renderer.stats().record_ms);
    const render::FrameStats& stats = renderer.stats();
    ImGui::TextDisabled("scene %u x %u, %u draws", stats.scene.width, stats.scene.height,
                        stats.draw_calls);
    ImGui::TextDisabled("%u of %u bolts", stats.bolts_drawn, stats.bolts_lit);
    ImGui::TextDisabled("%.1f frames/s", double{ImGui::GetIO().Framerate});
  }
  ImGui::End();
}

}  // namespace ui
