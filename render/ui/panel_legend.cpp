// What the colours mean and what full brightness is at this moment: always on, always true. What it
// says is made by scene/legend.cpp; here it is put on the screen, with the switches.
#include "render/scene/legend.h"

#include <imgui.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "render/scene/numbers.h"
#include "render/scene/text.h"
#include "render/ui/letters.h"
#include "render/ui/ui.h"

namespace ui {

namespace {

constexpr float kSmall = 0.8F;  // of the panels' font: the picture comes first

// Switch, and gain by dragging the number beside it.
void controls(scene::Channels& channels, uint32_t channel, ImVec4 colour) {
  ImGui::PushStyleColor(ImGuiCol_CheckMark, colour);
  ImGui::Checkbox("##on", &channels.on[channel]);
  ImGui::PopStyleColor();
  ImGui::SameLine();
  ImGui::SetNextItemWidth(3.0F * ImGui::GetFontSize());
  ImGui::DragFloat("##gain", &channels.gain[channel], 0.01F, 0.0F, scene::Channels::kMostGain,
                   "x%.3g", ImGuiSliderFlags_AlwaysClamp);
  ImGui::SameLine();
}

void row(State& state, const scene::LegendRow& row, bool interactive) {
  const scene::Palette colours = scene::palette(state.view.look.theme, state.view.look.palette);
  const float em = ImGui::GetFontSize();
  const ImVec4 colour = ImGui::ColorConvertU32ToFloat4(word_rgba(colours, row.channel));
  ImGui::PushID(static_cast<int>(row.channel));
  if (interactive) controls(state.view.look.channels, row.channel, colour);
  ImGui::TextColored(colour, "%s", scene::channel_name(row.channel));
  ImGui::SameLine((interactive ? 14.2F : 8.2F) * em);
  if (!row.on) {
    ImGui::TextDisabled("switched off");
    ImGui::PopID();
    return;
  }
  std::string text = row.measure;
  if (!row.scale.empty()) text += ", " + row.scale;
  if (row.gain != 1.0F) {
    char gain[24];
    std::snprintf(gain, sizeof gain, ", gain %.3g", double{row.gain});
    text += gain;
  }
  ImGui::TextUnformatted(text.c_str());
  ImGui::PopID();
}

// A line that is cut where it gets wider than that, with an ellipsis. Names of model files can be
// long; what is cut off is in `fulgurite inspect`.
std::string cut_to(const std::string& text, float width) {
  Letters& letters = Letters::current();
  if (letters.width(text) <= width) return letters.line(text);
  std::vector<size_t> ends;  // of its characters
  for (size_t i = 0; i < text.size();
       i += std::max<size_t>(scene::sequence_length(std::string_view(text).substr(i)), 1))
    ends.push_back(i);
  const auto cut = [&](size_t end) { return text.substr(0, end) + "\u2026"; };
  const auto fits = [&](size_t end) { return letters.width(cut(end)) <= width; };
  const auto too_wide = std::partition_point(ends.begin(), ends.end(), fits);
  return letters.line(cut(too_wide == ends.begin() ? 0 : *std::prev(too_wide)));
}

// Well enough for their colours to be seen.
bool sheets_in_sight(const render::TensorView& tensors) {
  constexpr float kSeen = 0.3F;  // of a sheet that is all there
  return std::any_of(tensors.quads().begin(), tensors.quads().end(),
                     [](const shaders::TileQuad& quad) { return quad.alpha > kSeen; });
}

}  // namespace

void panel_legend(State& state, bool interactive) {
  const trace::Reader& reader = state.stage.reader();
  const trace::Model& model = *reader.model();
  const auto& m = model.record;
  const float em = ImGui::GetFontSize();
  ImGui::SetNextWindowPos(ImVec2(em, em));
  // As wide as it will be at any moment, so that it does not breathe as numbers change.
  ImGui::SetNextWindowSizeConstraints(
      ImVec2(std::min((interactive ? 28.9F : 26.5F) * em, 0.6F * ImGui::GetIO().DisplaySize.x),
             0.0F),
      ImGui::GetIO().DisplaySize);
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize |
                                 ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_AlwaysAutoResize |
                                 ImGuiWindowFlags_NoFocusOnAppearing;
  const render::Look& look = state.view.look;
  // Counted in the frame before; a picture that stands has all of them.
  const render::FrameStats& stats = state.stage.renderer().stats();
  const uint32_t bolts_drawn = state.view.refine ? stats.bolts_lit : stats.bolts_drawn;
  const scene::Legend legend = scene::legend({reader,
                                              state.stage.layout(),
                                              state.player.playhead(),
                                              state.view.merge,
                                              look.channels,
                                              look.palette,
                                              {look.show_all},
                                              look.reduced_motion,
                                              stats.bolts_lit,
                                              bolts_drawn,
                                              look.theme,
                                              sheets_in_sight(state.stage.tensors()),
                                              state.view.plays ? state.view.pace : 0.0,
                                              state.view.look.lens});
  if (ImGui::Begin("legend", nullptr, flags)) {
    const std::string name = cut_to(
        scene::readable_text(model.name.empty() ? model.architecture : model.name), 26.0F * em);
    ImGui::TextUnformatted(name.c_str());
    const auto millions = static_cast<double>(m.parameters) / 1e6;
    char parameters[24];
    std::snprintf(parameters, sizeof parameters, "%.3g %c",
                  millions < 1e3 ? millions : millions / 1e3, millions < 1e3 ? 'M' : 'B');
    std::string size = std::string(parameters) + " parameters, " +
                       scene::counted(m.layers, "layer") + ", " + scene::counted(m.heads, "head");
    if (!model.quantisation.empty()) size += ", " + model.quantisation;
    // On one line where that makes the panel no wider than its notes.
    const float room = 26.0F * em - ImGui::CalcTextSize(name.c_str()).x - em;
    if (ImGui::CalcTextSize(size.c_str()).x < room) ImGui::SameLine();
    ImGui::TextDisabled("%s", size.c_str());
    if (!legend.without.empty()) {
      ImGui::PushTextWrapPos(26.0F * em);
      warn(state.view.look.theme, legend.without);
      ImGui::PopTextWrapPos();
    }
    ImGui::Separator();
    const std::string who = readable_text(legend.who);
    if (!who.empty()) ImGui::TextUnformatted(who.c_str());
    ImGui::TextUnformatted(readable_text(legend.now).c_str());
    ImGui::SetWindowFontScale(kSmall);
    // Where text is large the scene would be hidden.
    const ImVec2 display = ImGui::GetIO().DisplaySize;
    const bool folds = interactive && (display.x < 60.0F * em || display.y < 34.0F * em);
    for (const scene::LegendRow& r : legend.rows) {
      if (!folds || state.meanings) row(state, r, interactive);
    }
    ImGui::PushTextWrapPos(26.0F * em);
    ImGui::PushStyleColor(ImGuiCol_Text, ImGui::GetStyleColorVec4(ImGuiCol_TextDisabled));
    if (interactive ? state.meanings : look.panels.meanings) {
      for (const std::string& meaning : legend.meanings) ImGui::TextUnformatted(meaning.c_str());
    }
    for (const std::string& note : legend.notes) ImGui::TextUnformatted(note.c_str());
    ImGui::PopStyleColor();
    ImGui::PopTextWrapPos();
    const char* more = folds ? "legend" : "what the signs mean";
    if (interactive && ImGui::SmallButton(state.meanings ? "less" : more))
      state.meanings = !state.meanings;
    ImGui::SetWindowFontScale(1.0F);
  }
  ImGui::End();
}

}  // namespace ui
