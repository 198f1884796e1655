#include "render/stage.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "render/labels.h"
#include "render/outline.h"
#include "render/scene/choreography.h"
#include "render/scene/eyes.h"
#include "render/ui/covered.h"

namespace render {

namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

constexpr double kLongestLife = 0.95;              // steps, of what choreography.cpp writes
constexpr std::chrono::milliseconds kPatience{8};  // of a window, with older steps of a climb
constexpr std::chrono::seconds kLongestWait{60};

}  // namespace

Stage::Stage(gpu::Device& device, trace::Log& log, Quality quality,
             const scene::LayoutOptions& layout, const std::vector<trace::Log*>& beside)
    : quality_(quality),
      reader_(log),
      renderer_(device, quality),
      steps_(renderer_, [this](uint64_t step, bool newest) { return script(step, newest); }),
      layout_options_(layout) {
  for (trace::Log* log_of_one : beside) beside_.push_back(std::make_unique<Beside>(*log_of_one));
}

// All models are known: the layout is made, once.
void Stage::describe() {
  std::vector<trace::Model> models = {*reader_.model()};
  for (const auto& other : beside_) models.push_back(*other->reader.model());
  layout_ = std::make_unique<scene::Layout>(std::move(models), layout_options_);
  subjects_ = {{&reader_, layout_.get()}};
  scene::LayoutOptions alone = layout_options_;
  alone.models = static_cast<uint32_t>(layout_->subjects());
  for (const auto& other : beside_) {
    other->layout =
        std::make_unique<scene::Layout>(std::vector<trace::Model>{*other->reader.model()}, alone);
    const size_t i = subjects_.size();
    subjects_.push_back(
        {&other->reader, other->layout.get(), layout_->first_element(i), layout_->spine_x(i)});
  }
  occluders_ = std::make_unique<scene::Occluders>(*layout_);
  renderer_.set_nodes(layout_->boxes(), layout_->grids(), layout_->elements());
}

bool Stage::poll() {
  bool any = reader_.poll() || !steps_.complete();
  for (const auto& other : beside_) any = other->reader.poll() || any;
  const auto known = [](const trace::Reader& reader) {
    return reader.model() != nullptr && reader.described();
  };
  if (layout_ == nullptr && known(reader_) &&
      std::all_of(beside_.begin(), beside_.end(),
                  [&](const auto& other) { return known(other->reader); })) {
    describe();
  }
  if (conversation_ != reader_.conversation()) {
    conversation_ = reader_.conversation();
    bolts_.clear();
    continuation_ = reader_.continuation();
    beginning_ = 0.0;
    steps_.forget();
  } else if (continuation_ != reader_.continuation()) {
    bolts_.clear();
    continuation_ = reader_.continuation();
    beginning_ = static_cast<double>(reader_.kept_steps());
    steps_.forget();
  }
  return any;
}

uint32_t Stage::columns_in_view() const {
  const auto positions = static_cast<uint32_t>(reader_.positions());
  return std::clamp(positions / layout_->positions_per_column() + 1, 9U, 18U);
}

glm::vec3 Stage::where(uint32_t node, double playhead) const {
  return layout_->box_of(node, now(playhead)).center;
}

std::optional<shaders::Bolt> Stage::bolt(const BoltRef& ref) const {
  for (const auto& [known, bolt] : bolts_) {
    if (known == ref) return bolt;
  }
  if (ref.step >= reader_.steps()) return {};
  const scene::Script script = this->script(ref.step);
  if (ref.index >= script.bolts.size()) return {};
  uint32_t index = ref.index;
  while (index > 0 && (script.bolts[index].flags & shaders::kBoltFork) != 0) --index;
  constexpr size_t kKept = 8;
  if (bolts_.size() == kKept) bolts_.erase(bolts_.begin());
  bolts_.emplace_back(ref, script.bolts[index]);
  return script.bolts[index];
}

std::vector<BoltRef> Stage::bolts_at(uint32_t element, uint64_t step) const {
  if (step >= reader_.steps()) return {};
  const std::vector<shaders::Bolt> bolts = script(step).bolts;
  std::vector<BoltRef> found;
  for (uint32_t i = 0; i < bolts.size(); ++i) {
    const bool fork = (bolts[i].flags & shaders::kBoltFork) != 0;
    if (!fork && (bolts[i].from_node == element || bolts[i].to_node == element))
      found.push_back({step, i});
  }
  std::stable_sort(found.begin(), found.end(), [&](const BoltRef& a, const BoltRef& b) {
    return std::abs(bolts[a.index].share) > std::abs(bolts[b.index].share);
  });
  return found;
}

scene::BoltMeaning Stage::meaning(uint64_t step, const shaders::Bolt& bolt) const {
  const uint32_t end = bolt.to_node != shaders::kNoElement ? bolt.to_node : bolt.from_node;
  const scene::Subject& subject = end != shaders::kNoElement ? subject_of(end) : subjects_[0];
  return scene::explain_bolt(*subject.reader, *subject.layout, step, subject.own(bolt));
}

float Stage::now(double playhead, double merge, bool glide) const {
  // At rest the whole context stands there.
  if (at_rest()) return static_cast<float>(layout_->columns() - 1);
  return scene::column_now(reader_, *layout_, playhead, merge, glide);
}

shaders::Frame Stage::frame(const View& view, glm::vec2 viewport) const {
  const scene::Palette colours = scene::palette(view.look.theme, view.look.palette);
  const bool light = view.look.theme == scene::Theme::kLight;
  const float aspect = viewport.x / std::max(viewport.y, 1.0F);
  shaders::Frame f{};
  f.clip_from_world = view.camera.clip_from_world(aspect);
  f.eye = view.camera.eye();
  const glm::mat4 view_from_world = view.camera.view_from_world();
  f.right = {view_from_world[0][0], view_from_world[1][0], view_from_world[2][0]};
  f.up = {view_from_world[0][1], view_from_world[1][1], view_from_world[2][1]};
  f.playhead = static_cast<float>(view.playhead);
  f.shortest_life = static_cast<float>(scene::shortest_life(view.pace));
  f.pixel_size = 2.0F * std::tan(scene::Camera::kFovY * 0.5F) / std::max(viewport.y, 1.0F);
  f.exposure = 1.0F;
  f.bloom = light ? 0.0F : 0.55F;
  for (uint32_t c = 0; c < shaders::kChannelCount; ++c) {
    f.channel_color[c] = glm::vec4(colours.channel[c], view.look.channels.effective(c));
  }
  f.background = glm::vec4(colours.background, light ? 1.0F : 0.0F);
  f.horizon = glm::vec4(colours.horizon, 0.012F / layout_->scale());
  f.hovered = view.hovered;
  f.selected = view.selected;
  f.reduced_motion = view.look.reduced_motion ? 1 : 0;
  f.floor_y = -0.8F;
  f.grid_cell = 0.5F * std::exp2(std::floor(std::log2(layout_->scale())));
  f.now = now(view.playhead, view.merge, !view.look.reduced_motion);
  f.merge = static_cast<float>(view.merge);
  f.newest = static_cast<float>(scene::moment_of(view.playhead, view.merge, reader_.steps()).last);
  return f;
}

// What a step shows, of all models.
scene::Script Stage::script(uint64_t step, bool newest) const {
  const scene::Telling telling{.show_all = shown_all_, .newest = newest};
  scene::Script script = scene::choreograph(reader_, *layout_, step, telling);
  for (size_t i = 1; i < subjects_.size(); ++i)
    scene::add_script(subjects_[i], step, telling, script);
  return script;
}

// What is in flight and what of the past can still be seen.
void Stage::show_steps(const View& view, FrameInput& input) {
  if (reader_.steps() == 0) return;
  const double merge = std::max(view.merge, 1.0);
  input.last_step = scene::moment_of(view.playhead, merge, reader_.steps()).last;
  const auto back = static_cast<uint64_t>(
      std::ceil(std::max(kLongestLife * merge, double{input.frame.shortest_life}) + merge));
  input.first_step = input.last_step - std::min(back, input.last_step);
  const bool moves = quality_ == Quality::kWindow && !view.refine;
  const auto until = moves ? Clock::now() + kPatience : Clock::time_point::max();
  steps_.show({.first = input.first_step,
               .last = input.last_step,
               .steps = reader_.steps(),
               .merge = merge,
               .elements = layout_->elements()},
              until);
}

// The sheets and tiles of this view. A picture that is kept waits for its numbers.
void Stage::look_at_tensors(const View& view, glm::vec2 viewport) {
  shown_position_ = 0;
  if (reader_.steps() > 0) {
    const trace::StepRecord& step =
        reader_.step(scene::moment_of(view.playhead, view.merge, reader_.steps()).last);
    shown_position_ = step.last_position();
  }
  const scene::Palette colours = scene::palette(view.look.theme, view.look.palette);
  const auto update = [&] {
    tensors_.update({reader_, *layout_, control_, view.camera, colours, viewport, shown_position_,
                     view.hovered_cell, view.selected_cell});
    for (const uint32_t slot : tensors_.take_fresh())
      renderer_.put_tile(slot, tensors_.store().texels(slot));
  };
  update();
  if (quality_ != Quality::kFull || control_ == nullptr) return;
  const auto patience = std::chrono::steady_clock::now() + kLongestWait;
  while (tensors_.store().waiting() && std::chrono::steady_clock::now() < patience &&
         !(given_up_ && given_up_())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    poll();
    update();
  }
}

bool Stage::draw(Target& target, const View& view) {
  const auto begin = Clock::now();
  target.prepare();
  const glm::vec2 viewport(std::max(target.extent().width, 1U),
                           std::max(target.extent().height, 1U));
  if (shown_all_ != view.look.show_all) {
    shown_all_ = view.look.show_all;
    bolts_.clear();
    steps_.forget();
  }
  FrameInput input;
  input.frame = frame(view, viewport);
  show_steps(view, input);
  look_at_tensors(view, viewport);
  input.all_bolts = view.look.show_all;
  input.tiles = tensors_.quads();
  input.clip_from_eye = tensors_.clip_from_eye();
  const auto choreographed = Clock::now();
  const scene::Palette colours = scene::palette(view.look.theme, view.look.palette);
  const float words = scene::words_scale(viewport) * view.look.scale;
  Annotations notes;
  if (view.look.labels && !tensors_.fills_frame()) {
    const std::vector<scene::Rect> covered = covered_by(view.ui);
    notes = make_labels({reader_, *layout_, colours, view.playhead, view.merge, input.frame.now,
                         input.frame.clip_from_world, viewport, 13.0F * words, covered,
                         view.selected, occluders_.get(), subjects_, view.look.lens});
  }
  const auto hidden = [&](const Label& label) {
    return tensors_.covers(label, input.frame.clip_from_world);
  };
  lettered_.clear();
  std::vector<scene::Rect> readable;
  for (size_t i = 0; i < notes.rects.size(); ++i) {
    constexpr uint32_t kReadable = 0x60;  // alpha
    if (notes.labels[i].rgba >> 24 < kReadable || hidden(notes.labels[i])) continue;
    readable.push_back(notes.rects[i]);
    if (notes.labels[i].element != 0)
      lettered_.emplace_back(notes.rects[i], notes.labels[i].element);
  }
  std::erase_if(notes.labels, hidden);
  if (view.look.labels) {
    std::vector<Label> more = tensors_.labels({colours, input.frame.clip_from_world, 13.0F * words,
                                               occluders_.get(), input.frame.now, readable});
    notes.labels.insert(notes.labels.end(), std::make_move_iterator(more.begin()),
                        std::make_move_iterator(more.end()));
  }
  // What the value under the cursor, or the chosen one, was computed from.
  const auto& cell = view.hovered_cell ? view.hovered_cell : view.selected_cell;
  if (cell && reader_.positions() > 0) {
    const uint32_t position =
        std::min<uint32_t>(shown_position_, static_cast<uint32_t>(reader_.positions()) - 1);
    tensors_.outline(
        scene::cell_sources(*layout_, *cell, position, reader_.position(position).token.record->id),
        colours, std::max(words * 1.2F, 1.0F), notes.lines);
  }
  if (reader_.steps() > 0 && !tensors_.fills_frame()) {
    const scene::Moment moment = scene::moment_of(view.playhead, view.merge, reader_.steps());
    add_outlines({.subjects = subjects_,
                  .layout = *layout_,
                  .palette = colours,
                  .step = moment.last,
                  .crown_step = scene::crown_of(moment),
                  .now = input.frame.now,
                  .clip_from_world = input.frame.clip_from_world,
                  .eye = input.frame.eye,
                  .viewport = viewport,
                  .width_px = std::max(words * 1.5F, 1.0F),
                  .hovered = view.hovered,
                  .selected = view.selected,
                  .hovered_bolt = view.hovered_bolt ? bolt(*view.hovered_bolt) : std::nullopt,
                  .selected_bolt = view.selected_bolt ? bolt(*view.selected_bolt) : std::nullopt},
                 notes.lines);
  }
  times_ = {ms_between(begin, choreographed), ms_between(choreographed, Clock::now())};
  input.labels = notes.labels;
  input.lines = notes.lines;
  input.ui = view.ui;
  input.refine = view.refine;
  input.pick = view.pick;
  return renderer_.draw(target, input);
}

uint32_t Stage::lettered_at(glm::vec2 pixel) const {
  for (const auto& [rect, element] : lettered_) {
    if (glm::all(glm::greaterThanEqual(pixel, rect.low)) &&
        glm::all(glm::lessThanEqual(pixel, rect.high)))
      return element;
  }
  return 0;
}

}  // namespace render
