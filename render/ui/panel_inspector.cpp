#include "render/ui/panel_inspector.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "engine/trace/muted.h"
#include "render/scene/dependency.h"
#include "render/scene/muted.h"
#include "render/scene/node_meaning.h"
#include "render/scene/node_path.h"
#include "render/scene/quantities.h"
#include "render/scene/text.h"
#include "render/ui/explanations.h"
#include "render/ui/letters.h"

namespace ui {

namespace {

// The token id behind a tape node and of the candidate behind a bar; -1: none, or several.
int32_t token_of(const State& state, const scene::NodeRef& ref) {
  const trace::Reader& reader = state.stage.reader();
  const bool one = ref.kind == scene::Kind::kTape && ref.column < reader.positions() &&
                   state.stage.layout().positions_per_column() == 1;
  return one ? reader.position(ref.column).token.record->id : -1;
}

int32_t candidate_of(const State& state, const scene::NodeRef& ref) {
  const std::optional<size_t> step = step_of(state, ref.kind);
  if (ref.kind != scene::Kind::kCandidate || !step) return -1;
  const trace::Logits& logits = state.stage.reader().position(position_of(state, *step)).logits;
  return logits.record != nullptr && ref.index < logits.record->candidates
             ? logits.candidates[ref.index].id
             : -1;
}

std::string token_text(const State& state, uint32_t position) {
  const trace::Reader& reader = state.stage.reader();
  return position < reader.positions() ? visible_text(reader.position(position).token.text)
                                       : std::string();
}

// What a cell of the tape or of the KV cache belongs to.
std::string tokens_of(const State& state, const scene::NodeRef& ref) {
  const scene::Layout& layout = state.stage.layout();
  if (layout.positions_per_column() > 1) return scene::column_name(layout, ref.column);
  const trace::Reader& reader = state.stage.reader();
  const auto text = [&](int64_t position) {
    const bool there = position >= 0 && position < static_cast<int64_t>(reader.positions());
    return there ? std::string(reader.position(static_cast<size_t>(position)).token.text) : "";
  };
  // Of a character of four bytes each may be a token.
  const int64_t p = ref.column;
  const std::string part = scene::part_of_character(
      text(p - 3) + text(p - 2) + text(p - 1), text(p), text(p + 1) + text(p + 2) + text(p + 3));
  return "token \"" + token_text(state, ref.column) + "\"" +
         (part.empty() ? "" : ", " + visible_text(part));
}

// Of a sum; what is small keeps its digits.
std::string percent(float share) {
  const double value = double{share} * 100.0;
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) < 0.1 && share != 0.0F ? "%5.2g %%" : "%5.1f %%",
                value);
  return text;
}

// Which of `full` numbers the i-th of `shown` cells stands for, as engine/inspection.cpp cuts them.
struct Block {
  uint32_t first, last;
};
Block block_of(uint32_t i, uint32_t shown, uint32_t full) {
  const auto begin = [&](uint64_t cell) { return static_cast<uint32_t>(cell * full / shown); };
  return {begin(i), begin(uint64_t{i} + 1) - 1};
}

std::string numbers(Block block, uint32_t offset) {
  const std::string first = std::to_string(block.first + offset);
  return block.first == block.last ? first : first + ".." + std::to_string(block.last + offset);
}

// Why a node has no number at a step.
std::string unmeasured(const trace::Reader& reader, const scene::Layout& layout,
                       const scene::NodeRef& ref, std::optional<size_t> step) {
  if (ref.kind == scene::Kind::kCell && step && *step < reader.steps()) {
    const trace::StepRecord& record = reader.step(*step);
    const trace::Position& at = reader.position(record.last_position());
    if (const auto expert = scene::idle_expert(at, layout, ref))
      return "not computed: the router did not choose expert " + std::to_string(*expert);
  }
  return "nothing was measured here at this step";
}

// At the end of the line, where there is room for it.
bool button_at_the_end(const char* words) {
  const float width = ImGui::CalcTextSize(words).x + 2.0F * ImGui::GetStyle().FramePadding.x;
  const float right = ImGui::GetWindowContentRegionMax().x - width;
  const float end = ImGui::GetItemRectMax().x - ImGui::GetWindowPos().x;
  if (end + ImGui::GetStyle().ItemSpacing.x < right) ImGui::SameLine(right);
  return ImGui::SmallButton(words);
}

void mute_button(State& state, const scene::NodeRef& ref, bool muted) {
  if (state.control == nullptr || scene::parts_of(state.stage.layout(), ref).empty()) return;
  if (button_at_the_end(muted ? "unmute (X)" : "mute (X)")) toggle_muted(state);
}

// The line of an expert of the first model, and what mutes it whole.
void expert_line(State& state, uint32_t layer, uint32_t expert, const std::string& words,
                 bool interactive) {
  const trace::MutedPart part{trace::MutedKind::kExpert, layer, expert};
  const bool muted = scene::is_muted(state.stage.layout(), part, state.stage.reader().muted());
  ImGui::TextUnformatted((words + (muted ? ", muted" : "")).c_str());
  if (!interactive || state.control == nullptr) return;
  ImGui::PushID(static_cast<int>(expert));
  if (button_at_the_end(muted ? "unmute" : "mute")) toggle_muted(state, part);
  ImGui::PopID();
}

// In as many lines as it takes.
void faint(const std::string& text) {
  ImGui::PushTextWrapPos(0.0F);
  ImGui::TextDisabled("%s", text.c_str());
  ImGui::PopTextWrapPos();
}

// Behind the last line where it finds room there, else below.
void name_behind(const std::string& name) {
  if (name.empty()) return;
  const float end = ImGui::GetItemRectMax().x - ImGui::GetWindowPos().x +
                    ImGui::GetStyle().ItemSpacing.x + ImGui::CalcTextSize(name.c_str()).x;
  const bool one_line = ImGui::GetItemRectSize().y < 1.5F * ImGui::GetTextLineHeight();
  if (one_line && end < ImGui::GetWindowContentRegionMax().x) ImGui::SameLine();
  ImGui::TextDisabled("%s", name.c_str());
}

// The number that lights a node, and where it comes from.
void tell_measure(const State& state, const scene::Subject& subject, const scene::NodeRef& own,
                  std::optional<size_t> step) {
  const trace::Reader& reader = *subject.reader;
  const scene::Layout& layout = *subject.layout;
  scene::Meaning meaning;
  if (step && *step < reader.steps()) meaning = scene::explain(reader, layout, own, *step);
  if (meaning.known) {
    ImGui::Text("%s = %.5g", meaning.measure.c_str(), double{meaning.value});
    ImGui::TextDisabled("%s", meaning.formula.c_str());
    faint("of " + meaning.tensor);
    if (meaning.scale > 0.0F) {
      ImGui::TextDisabled("light %.3f = asinh(value / %.4g) / asinh(1)", double{meaning.light},
                          double{meaning.scale});
    } else {
      ImGui::TextDisabled("light %.3f = the value itself", double{meaning.light});
    }
    // Bars are the newest step's alone.
    if (state.view.merge > 1.0 && meaning.scale > 0.0F) {
      faint("of the newest step; the node shows the strongest of several");
    }
  } else if (own.kind != scene::Kind::kTape) {
    ImGui::TextDisabled("%s", unmeasured(reader, layout, own, step).c_str());
  }
  const std::string formula = scene::formula_of(own.kind, layout.structure_of(own.layer));
  if (!formula.empty()) {
    faint("computed as " + formula);
  }
}

// What an expert as a whole gave.
void tell_expert(const State& state, const trace::MutedPart& expert, std::optional<size_t> step) {
  if (!step || *step >= state.stage.reader().steps()) return;
  const trace::Experts& experts = state.stage.reader().position(position_of(state, *step)).experts;
  if (experts.record == nullptr) return faint("what experts gave is not in the trace");
  for (const trace::ExpertShare& e : experts.used_in(expert.layer)) {
    if (e.expert != expert.index) continue;
    ImGui::Text("%s  of the FFN update", percent(e.share).c_str());
    ImGui::TextDisabled("<G_e FFN_e, df> / |df|^2, G_e = %.3g", double{e.weight});
    return faint("of " + scene::value_name("experts", expert.layer));
  }
  faint("not computed: the router did not choose it");
}

// Where it ends at the latest if it begins at the top: above the timeline.
float bottom_of_inspector() {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  return display.y - 5.0F * em - second_row(display.x, em);
}

}  // namespace

uint32_t heat(const scene::CellColours& colours, float value, float extreme) {
  return scene::rgba_of(
      shaders::cell_color(colours.below, colours.zero, colours.above, value / extreme));
}

void Inspector::draw(State& state, bool interactive) {
  state.shown_tensor.clear();
  state.asks = false;
  if (state.view.selected == 0 || state.stage.reader().steps() == 0) return;
  const scene::NodeRef ref = state.stage.layout().ref(state.view.selected - 1);
  // Its numbers are those of the model that it belongs to.
  const scene::Subject& subject = state.stage.subject_of(state.view.selected - 1);
  const trace::Reader& reader = *subject.reader;
  const scene::Layout& layout = *subject.layout;
  const scene::NodeRef own = layout.ref(subject.own(state.view.selected - 1));
  if (!(ref == ref_)) {
    // The same kind of node elsewhere keeps its tab.
    if (ref.kind != ref_.kind) tab_ = 0;
    ref_ = ref;
  }
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const float width = std::min(27.0F * em, display.x * 0.4F);
  // It opens where the FFN may stand; whoever wants to see that draws it aside.
  ImGui::SetNextWindowPos(ImVec2(display.x - em, em),
                          interactive ? ImGuiCond_Appearing : ImGuiCond_Always, ImVec2(1.0F, 0.0F));
  ImGui::SetNextWindowSize(ImVec2(width, 0.0F));
  ImGui::SetNextWindowSizeConstraints(ImVec2(width, 0.0F),
                                      ImVec2(width, bottom_of_inspector() - em));
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoSavedSettings |
                                 ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoFocusOnAppearing;
  if (ImGui::Begin("inspector", nullptr, flags)) {
    ImGui::PushTextWrapPos(0.0F);
    if (!state.help) scroll_by_keys(state);
    const auto expert = selected_expert(state);
    std::string path = state.stage.layout().path(ref);
    if (expert) path.resize(path.rfind(" > "));  // of its first neurons
    ImGui::TextUnformatted(readable_text(path).c_str());
    name_behind(expert ? trace::name_of(*expert) : scene::node_path(ref, state.stage.layout()));
    ImGui::PopTextWrapPos();
    const bool muted =
        expert ? scene::is_muted(state.stage.layout(), *expert, state.stage.reader().muted())
               : scene::is_muted(state.stage.layout(), ref, state.stage.reader().muted());
    if (interactive) mute_button(state, ref, muted);
    ImGui::PushTextWrapPos(0.0F);
    if (ref.kind == scene::Kind::kTape || ref.kind == scene::Kind::kSlot)
      ImGui::TextUnformatted(tokens_of(state, ref).c_str());
    const std::optional<size_t> step = step_of(state, ref.kind);
    if (ref.kind != scene::Kind::kTape && step) {
      const uint32_t position = position_of(state, *step);
      const char* form = ref.kind == scene::Kind::kSlot ? "as position %u, token \"%s\", reads it"
                                                        : "at position %u, token \"%s\"";
      ImGui::TextDisabled(form, position, token_text(state, position).c_str());
    }
    if (expert) {
      tell_expert(state, *expert, step);
    } else {
      tell_measure(state, subject, own, step);
    }
    ImGui::PopTextWrapPos();
    if (muted) {
      const bool head = ref.kind == scene::Kind::kHead || ref.kind == scene::Kind::kCell;
      warn(state.view.look.theme,
           head ? "muted: what it gives is zero" : "muted: at most biases are added here");
    }
    if (step && !expert) {
      for (const std::string& line : scene::besides(reader, layout, own, *step, interactive))
        faint(line);
    }
    if (ref.subject == 0 && step) {
      const uint32_t position = position_of(state, *step);
      if (!expert) strongest(state, ref, position, interactive);
      if (ref.kind == scene::Kind::kSpineFfn) explanations_.readings(state, ref.layer, *step);
      if (ref.kind == scene::Kind::kCandidate)
        explanations_.terms(state, ref.index, *step, interactive);
    }
    ImGui::Separator();

    const std::vector<scene::TensorName> tensors =
        scene::tensors_of(layout, own, token_of(state, ref), candidate_of(state, ref));
    if (state.control == nullptr && interactive) {
      faint(std::string("whole tensors need a running model: ") + where_to_ask(state));
    } else if (state.control != nullptr && !tensors.empty()) {
      if (!state.wanted_tensor.empty()) choose(tensors, std::exchange(state.wanted_tensor, {}));
      tab_ = std::min(tab_, tensors.size() - 1);
      const auto n = static_cast<int>(tensors.size());
      tab_ = static_cast<size_t>(((static_cast<int>(tab_) + state.next_tensor) % n + n) % n);
      if (interactive) {
        ImGui::SetNextItemWidth(-1.0F);
        if (ImGui::BeginCombo("##tensor", tensors[tab_].title.c_str())) {
          for (size_t i = 0; i < tensors.size(); ++i) {
            if (ImGui::Selectable(tensors[i].title.c_str(), i == tab_)) tab_ = i;
          }
          if (escape_pressed()) ImGui::CloseCurrentPopup();
          ImGui::EndCombo();
        }
      }
      ask(state, tensors[tab_]);
      if (reader.answer(request_) != nullptr) shown_request_ = request_;
      state.asks = state.asks || shown_request_ != request_;
      const trace::TensorAnswer* answer = reader.answer(shown_request_);
      if (answer != nullptr && answer->name == tensors[tab_].name) {
        show(state, tensors[tab_], *answer);
        state.shown_tensor = tensors[tab_].name;
      }
    }
  }
  ImGui::End();
}

void Inspector::choose(const std::vector<scene::TensorName>& tensors, std::string_view name) {
  const auto called = [&](const scene::TensorName& one) { return scene::is_called(one, name); };
  const auto found = std::find_if(tensors.begin(), tensors.end(), called);
  if (found != tensors.end()) tab_ = static_cast<size_t>(found - tensors.begin());
}

void Inspector::ask(State& state, const scene::TensorName& tensor) {
  const trace::Reader& reader = state.stage.reader();
  const uint32_t position =
      position_of(state, step_of(state, ref_.kind).value_or(shown_step(state)));
  // While an answer is on its way nothing more is asked; a stored weight is asked for once. What
  // was shown and is gone made room for what is newer: it is asked for again.
  const bool gone = reader.answer(request_) == nullptr;
  const bool same = asked_.conversation == beginnings(state);
  if (request_ != 0 && same && gone && shown_request_ != request_) return;
  const Question question{ref_,
                          tensor.name,
                          tensor.first_row,
                          tensor.rows,
                          tensor.stored ? 0 : position,
                          beginnings(state)};
  if (request_ != 0 && question == asked_ && !gone) return;
  engine::Inspect what;
  what.request = state.next_request;
  what.name = tensor.name;
  what.position = position;
  what.first_row = tensor.first_row;
  what.rows = tensor.rows;
  if (!state.control->post(what)) {  // the queue is full: next frame again
    state.asks = true;
    return;
  }
  request_ = state.next_request++;
  asked_ = question;
}

namespace {

// In one line, or in two where they do not fit: ImGui's own wrapping would break a number behind
// its point.
void measures(const trace::TensorRecord& r) {
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  const float gap = ImGui::CalcTextSize("   ").x;
  float end = right;  // of what stands in the line: the first begins one
  for (const auto& [name, value] :
       {std::pair{"min", r.min}, {"max", r.max}, {"mean", r.mean}, {"rms", r.rms}}) {
    char words[32];
    std::snprintf(words, sizeof words, "%s %.4g", name, double{value});
    if (end + gap + ImGui::CalcTextSize(words).x <= right) ImGui::SameLine(0.0F, gap);
    ImGui::TextDisabled("%s", words);
    end = ImGui::GetItemRectMax().x;
  }
}

}  // namespace

void Inspector::show(State& state, const scene::TensorName& tensor,
                     const trace::TensorAnswer& answer) {
  const trace::TensorRecord& r = *answer.record;
  ImGui::Text("%s", std::string(answer.name).c_str());
  faint(std::string(answer.formula));
  if (r.rows == 0) return;
  const char* means =
      r.rows < r.full_rows || r.cols < r.full_cols ? ", shown as means of blocks" : "";
  if (r.full_rows == 1) {
    ImGui::TextDisabled("%u values%s", r.full_cols, means);
  } else {
    ImGui::TextDisabled("%u x %u values%s", r.full_rows, r.full_cols, means);
  }
  measures(r);
  const float em = ImGui::GetFontSize();
  const float width = ImGui::GetContentRegionAvail().x;
  if (r.rows == 1) {
    const float low = std::min(r.min, 0.0F);
    const float high = std::max(r.max, low + 1e-12F);
    ImGui::PlotHistogram("##bars", answer.values.data(), static_cast<int>(answer.values.size()), 0,
                         nullptr, low, high, ImVec2(width, em * 6.0F));
  }
  heatmap(state, tensor, answer);
}

namespace {

// Under the cells of a row with a position each: their tokens, those of the largest values first,
// as far as they have room.
void letters(const State& state, ImVec2 origin, float cell, float height,
             std::span<const float> values) {
  const float em = ImGui::GetFontSize();
  const float right = origin.x + cell * static_cast<float>(values.size());
  ImGui::Dummy(ImVec2(0.0F, em));
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto size = [&](uint32_t i) { return std::isnan(values[i]) ? -1.0F : std::abs(values[i]); };
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return size(a) > size(b); });
  std::vector<std::pair<float, float>> taken;
  for (const uint32_t i : order) {
    const std::string token = token_text(state, i);
    const float width = ImGui::CalcTextSize(token.c_str()).x;
    const float middle = origin.x + (static_cast<float>(i) + 0.5F) * cell;
    const float x = std::max(std::min(middle - 0.5F * width, right - width), origin.x);
    const float apart = 0.2F * em;
    if (x + width > right + 0.5F * em ||
        std::any_of(taken.begin(), taken.end(), [&](const auto& other) {
          return x - apart < other.second && other.first < x + width + apart;
        })) {
      continue;
    }
    taken.emplace_back(x, x + width);
    ImGui::GetWindowDrawList()->AddText(ImVec2(x, origin.y + height + 0.15F * em),
                                        ImGui::GetColorU32(ImGuiCol_Text), token.c_str());
  }
}

// A frame around what the node stands for. shape: rows and columns of the picture; cell: of its
// cells, pixels.
void mark_own(const scene::TensorName& tensor, const trace::TensorRecord& r, glm::uvec2 shape,
              ImVec2 origin, ImVec2 cell) {
  if (tensor.own < 0 || tensor.own >= (tensor.cached ? r.full_rows : r.full_cols)) return;
  const auto own = static_cast<uint64_t>(tensor.own);
  glm::uvec2 low(0);  // column, row
  glm::uvec2 high(shape.y, 0);
  if (tensor.cached) {
    low.y = static_cast<uint32_t>(own * r.rows / r.full_rows);
  } else if (r.rows == 1) {
    const auto at = static_cast<uint32_t>(own * r.cols / r.full_cols);
    low = {at % shape.y, at / shape.y};
    high.x = low.x + 1;
  } else {
    return;
  }
  high.y = low.y + 1;
  const auto at = [&](glm::uvec2 corner) {
    return ImVec2(origin.x + static_cast<float>(corner.x) * cell.x,
                  origin.y + static_cast<float>(corner.y) * cell.y);
  };
  ImGui::GetWindowDrawList()->AddRect(at(low), at(high), ImGui::GetColorU32(ImGuiCol_Text));
}

}  // namespace

void Inspector::heatmap(State& state, const scene::TensorName& tensor,
                        const trace::TensorAnswer& answer) {
  const trace::TensorRecord& r = *answer.record;
  // A single row is folded into a block, so that its cells can be seen.
  uint32_t rows = r.rows;
  uint32_t cols = r.cols;
  if (rows == 1 && cols > 32) {
    cols = std::max(16U,
                    static_cast<uint32_t>(std::ceil(std::sqrt(static_cast<float>(r.cols) * 3.0F))));
    rows = (r.cols + cols - 1) / cols;
  }
  const float extreme = std::max({std::abs(r.min), std::abs(r.max), 1e-20F});
  render::Renderer& renderer = state.stage.renderer();
  const scene::CellColours colours =
      scene::palette(state.view.look.theme, state.view.look.palette).cells;
  if (texture_request_ != r.request || texture_words_ != colours.words) {
    std::vector<uint8_t> pixels(size_t{4} * rows * cols, 0);
    for (size_t i = 0; i < answer.values.size(); ++i) {
      const uint32_t rgba = heat(colours, answer.values[i], extreme);
      for (size_t c = 0; c < 4; ++c) pixels[i * 4 + c] = static_cast<uint8_t>(rgba >> (8 * c));
    }
    if (texture_ == 0 || rows != texture_rows_ || cols != texture_cols_) {
      if (texture_ != 0) renderer.destroy_texture(texture_);
      texture_ = renderer.create_texture(cols, rows, pixels, true);
      texture_rows_ = rows;
      texture_cols_ = cols;
    } else {
      renderer.update_texture(texture_, pixels);
    }
    texture_request_ = r.request;
    texture_words_ = colours.words;
  }
  const float width = ImGui::GetContentRegionAvail().x;
  // A short row lies under its bars.
  const bool strip = rows == 1 && r.rows == 1;
  const float cell = strip
                         ? width / static_cast<float>(cols)
                         : std::min(width / static_cast<float>(cols), ImGui::GetFontSize() * 1.2F);
  const float em = ImGui::GetFontSize();
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  // The whole of it without scrolling, unless that would be a strip.
  const float room = std::max(bottom_of_inspector() - 0.8F * em - origin.y, 8.0F * em);
  const float height =
      strip ? 1.4F * em
            : std::clamp(cell * static_cast<float>(rows), 12.0F, std::min(width * 1.05F, room));
  ImGui::Image((ImTextureID)texture_, ImVec2(cell * static_cast<float>(cols), height));
  const bool hovered = ImGui::IsItemHovered();
  mark_own(tensor, r, {rows, cols}, origin, {cell, height / static_cast<float>(rows)});
  if (strip && tensor.per_position) letters(state, origin, cell, height, answer.values);
  if (!hovered) return;
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  const auto col = static_cast<uint32_t>(std::max((mouse.x - origin.x) / cell, 0.0F));
  const auto row = static_cast<uint32_t>(
      std::max((mouse.y - origin.y) / height * static_cast<float>(rows), 0.0F));
  const size_t at = size_t{row} * cols + col;
  if (col >= cols || row >= rows || at >= answer.values.size()) return;
  // What the cell stands for: one value, or the mean of a block.
  const bool one_row = r.rows == 1;
  const auto y = block_of(one_row ? 0 : row, r.rows, r.full_rows);
  const auto x = block_of(one_row ? static_cast<uint32_t>(at) : col, r.cols, r.full_cols);
  const std::string place =
      (one_row ? ""
               : numbers(y, tensor.cached ? 0 : static_cast<uint32_t>(tensor.first_row)) + ", ") +
      numbers(x, 0);
  const bool single = y.first == y.last && x.first == x.last;
  ImGui::BeginTooltip();
  ImGui::Text("[%s]%s = %.6g", place.c_str(), single ? "" : " mean", double{answer.values[at]});
  if (tensor.per_position && x.first == x.last)
    ImGui::Text("token \"%s\"", token_text(state, x.first).c_str());
  if (tensor.cached && y.first == y.last)
    ImGui::Text("token \"%s\"", token_text(state, y.first).c_str());
  ImGui::EndTooltip();
}

// The largest terms of the sum that the node stands for, straight from the trace.
void Inspector::strongest(State& state, const scene::NodeRef& ref, uint32_t position,
                          bool interactive) {
  const trace::Position& at = state.stage.reader().position(position);
  if (ref.kind == scene::Kind::kCell && state.stage.layout().structure_of(ref.layer).experts > 0) {
    const uint32_t expert = state.stage.layout().expert_of(ref);
    const std::string name = scene::expert_name(state.stage.layout().structure(), expert);
    expert_line(state, ref.layer, expert, name + " as a whole", interactive);
  }
  if (ref.kind == scene::Kind::kHead && at.attention.record != nullptr) {
    const auto listed = at.attention.reads_of(ref.layer, ref.index);
    std::vector<trace::KvRead> reads(listed.begin(), listed.end());
    // Of one that gives nothing all shares are zero.
    if (scene::is_muted(state.stage.layout(), ref, state.stage.reader().muted())) {
      std::stable_sort(reads.begin(), reads.end(),
                       [](const auto& a, const auto& b) { return a.weight > b.weight; });
    }
    for (size_t i = 0; i < std::min<size_t>(reads.size(), 5); ++i) {
      ImGui::Text("%s  position %u \"%s\"  weight %.3g", percent(reads[i].share).c_str(),
                  reads[i].position, token_text(state, reads[i].position).c_str(),
                  double{reads[i].weight});
    }
  } else if (ref.kind == scene::Kind::kSlot && at.attention.record != nullptr) {
    const auto& m = state.stage.layout().model();
    const scene::Layout& layout = state.stage.layout();
    for (uint32_t h = 0; h < m.heads; ++h) {
      if (trace::kv_head_of(m, h) != ref.index) continue;
      for (const trace::KvRead& read : at.attention.reads_of(ref.layer, h)) {
        if (layout.column_of(read.position) != ref.column) continue;
        ImGui::Text("%s  of head %u's output  weight %.3g", percent(read.share).c_str(), h,
                    double{read.weight});
      }
    }
  } else if (ref.kind == scene::Kind::kRouter && at.experts.record != nullptr) {
    const uint32_t n = at.experts.record->experts;
    for (const trace::ExpertShare& e : at.experts.used_in(ref.layer)) {
      if (e.expert >= n) continue;  // the one that always works
      char words[96];
      std::snprintf(words, sizeof words, "expert %u  p = %.3g  %s of the update", e.expert,
                    double{at.experts.probability[size_t{ref.layer} * n + e.expert]},
                    percent(e.share).c_str());
      expert_line(state, ref.layer, e.expert, words, interactive);
    }
    faint("shares <G_e FFN_e, df> / |df|^2, of " + scene::value_name("experts", ref.layer));
  } else if (ref.kind == scene::Kind::kCell && at.ffn.record != nullptr &&
             !scene::idle_expert(at, state.stage.layout(), ref)) {
    const uint32_t buckets = at.ffn.record->buckets;
    ImGui::Text("%s  of the FFN update",
                percent(at.ffn.bucket_share[ref.layer * buckets + ref.index]).c_str());
    const trace::StructureRecord of_layer = state.stage.layout().structure_of(ref.layer);
    ImGui::TextDisabled("%s", scene::neuron_formula(of_layer).c_str());
    faint("of " + scene::value_name("ffn.neuron_share", ref.layer,
                                    {scene::neurons_of(state.stage.layout(), ref)}));
  } else if (ref.kind == scene::Kind::kSpineFfn && at.ffn.record != nullptr) {
    for (uint32_t i = 0; i < std::min(at.ffn.record->top, 5U); ++i) {
      const trace::NeuronShare& n = at.ffn.top[ref.layer * at.ffn.record->top + i];
      ImGui::Text("%s  %s  activation %.3g", percent(n.share).c_str(),
                  state.stage.layout().neuron_name(ref.layer, n.neuron).c_str(),
                  double{n.activation});
    }
  } else if (ref.kind == scene::Kind::kSpineAttention && at.attention.record != nullptr) {
    for (uint32_t h = 0; h < std::min(at.attention.record->heads, 8U); ++h) {
      ImGui::Text("%s  head %u", percent(at.attention.head(ref.layer, h).share).c_str(), h);
    }
  } else if ((ref.kind == scene::Kind::kCandidate || ref.kind == scene::Kind::kRestCandidate) &&
             at.logits.record != nullptr) {
    for (uint32_t i = 0; i < std::min(at.logits.record->candidates, 6U); ++i) {
      const trace::Candidate& c = at.logits.candidates[i];
      ImGui::Text("%s  \"%s\"  logit %.3f%s", percent(c.probability).c_str(),
                  Letters::current().line(scene::candidate_text(c)).c_str(), double{c.logit},
                  c.id == at.logits.record->sampled ? "  drawn" : "");
    }
  }
}

}  // namespace ui
