// What the colours mean and what full brightness is at this moment: always on, always true.
#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "render/scene/clock.h"
#include "render/scene/palette.h"
#include "render/scene/text.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

// The layer that is in flight, whose scale is printed.
uint32_t layer_in_flight(const State& state) {
  const auto& m = state.stage.layout().model();
  // At the very end the last step is shown, not the beginning of one that is not there.
  const double end = static_cast<double>(state.stage.reader().steps());
  if (state.player.playhead() >= end) return m.layers - 1;
  const double playhead = state.player.playhead();
  return std::min(
      scene::Clock(m.layers).layer_at(static_cast<float>(playhead - std::floor(playhead))),
      m.layers - 1);
}

void row(State& state, uint32_t channel, const std::string& meaning, bool interactive) {
  const scene::Palette colours = scene::palette(state.view.look.theme);
  float& gain = state.view.look.gain[channel];
  const ImVec4 colour = ImGui::ColorConvertU32ToFloat4(channel_rgba(colours, channel));
  ImGui::PushID(static_cast<int>(channel));
  if (interactive) {
    bool on = gain > 0.0F;
    ImGui::PushStyleColor(ImGuiCol_CheckMark, colour);
    if (ImGui::Checkbox("##on", &on)) gain = on ? 1.0F : 0.0F;
    ImGui::PopStyleColor();
    ImGui::SameLine();
  }
  ImGui::TextColored(colour, "%s", scene::channel_name(channel));
  ImGui::SameLine(ImGui::GetFontSize() * (interactive ? 10.6F : 8.2F));
  ImGui::TextUnformatted(meaning.c_str());
  ImGui::PopID();
}

}  // namespace

void panel_legend(State& state, bool interactive) {
  const trace::Reader& reader = state.stage.reader();
  const trace::Model& model = *reader.model();
  const auto& m = model.record;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(em, em));
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize |
                                 ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_AlwaysAutoResize |
                                 ImGuiWindowFlags_NoFocusOnAppearing;
  if (ImGui::Begin("legend", nullptr, flags)) {
    // Names of model files can be long; what is cut off is in `fulgurite inspect`.
    constexpr size_t kNameBytes = 28;
    std::string name = model.name.empty() ? model.architecture : model.name;
    if (name.size() > kNameBytes) name = name.substr(0, kNameBytes) + "\u2026";
    ImGui::TextUnformatted(scene::readable_text(name).c_str());
    ImGui::SameLine();
    ImGui::TextDisabled("%.2f M parameters, %u layers, %u heads, %s",
                        static_cast<double>(m.parameters) / 1e6, m.layers, m.heads,
                        model.quantisation.c_str());
    ImGui::Separator();
    const uint32_t layer = layer_in_flight(state);
    const trace::Scale* scale = nullptr;
    if (reader.steps() > 0) {
      const trace::Scale& found = reader.position(shown_position(state)).scale;
      if (found.record != nullptr) scale = &found;
    }
    const auto full = [&](trace::Measure measure) {
      if (scale == nullptr) return std::string();
      char text[48];
      std::snprintf(text, sizeof text, ", full at %.3g", double{scale->of(layer, measure)});
      return std::string(text);
    };
    row(state, shaders::kChannelResidual,
        "relative update |da|/|x|" + full(trace::Measure::kUpdate), interactive);
    row(state, shaders::kChannelAttention, "share of the update" + full(trace::Measure::kHeadShare),
        interactive);
    row(state, shaders::kChannelKv, "attention received" + full(trace::Measure::kKvRead),
        interactive);
    row(state, shaders::kChannelFfn, "|activation|" + full(trace::Measure::kActivation),
        interactive);
    row(state, shaders::kChannelCrown, "probability, bar height", interactive);
    row(state, shaders::kChannelRest, "what is not drawn one by one", interactive);
    ImGui::TextDisabled("layer %u; width: share of its sum; hollow: against it", layer);
    ImGui::TextDisabled("path, forks, fade and flash are decoration");
    if (reader.dropped()) ImGui::TextDisabled("memory is full: the oldest detail was let go");
  }
  ImGui::End();
}

}  // namespace ui
