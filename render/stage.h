// The picture as a pure function of (trace, playhead, camera, look): what a window, a
// recording, a still and a test all call.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/trace/reader.h"
#include "render/frame.h"
#include "render/scene/bolt_meaning.h"
#include "render/scene/camera.h"
#include "render/scene/choreography.h"
#include "render/scene/layout.h"
#include "render/scene/occlusion.h"
#include "render/scene/palette.h"
#include "render/scene/placement.h"
#include "render/scene/subject.h"
#include "render/steps_in_sight.h"
#include "render/tensor_view.h"

namespace render {

// What stands over a picture without a window.
struct Panels {
  bool legend = true;
  bool meanings = true;  // in the legend: what the signs mean
  bool text = true;
  bool inspector = true;  // of whatever is selected
};

// What the person watching has chosen.
struct Look {
  scene::Theme theme = scene::Theme::kDark;
  scene::PaletteName palette = scene::PaletteName::kDefault;
  scene::Channels channels;
  bool show_all = false;  // every read and neuron that the trace lists
  bool reduced_motion = false;
  bool labels = true;
  bool lens = false;  // words at the storeys: what the model would say there
  Panels panels;
  float scale = 1.0F;  // of text and panels
};

struct View {
  double playhead = 0.0;  // steps
  double pace = 1.0;      // steps a second, so that no light is shorter than 400 ms
  double merge = 1.0;     // steps that are shown as one climb
  scene::Camera camera;
  Look look;
  uint32_t hovered = 0;  // element + 1; 0: none
  uint32_t selected = 0;
  uint32_t whole_expert = 0;  // where it is `selected`, that cell stands for its whole expert
  // A value of a tensor that is pointed at, and one that is chosen.
  std::optional<scene::CellRef> hovered_cell{};
  std::optional<scene::CellRef> selected_cell{};
  std::optional<BoltRef> hovered_bolt{};
  std::optional<BoltRef> selected_bolt{};  // then no element is
  bool plays = false;                      // the playhead moves by itself
  bool refine = false;                     // the picture will stand: FrameInput::refine
  ImDrawData* ui = nullptr;
  std::optional<glm::ivec2> pick{};
};

// What the newest frame took on the CPU before it was recorded, ms.
struct StageTimes {
  double choreography_ms = 0.0;  // steps that came into sight -> lights and bolts, handed over
  double labels_ms = 0.0;
};

// Main thread.
class Stage {
 public:
  // beside: traces of models that stand next to the first one's and run on the same clock; with
  // layout.all_move false they are at rest, and only described.
  Stage(gpu::Device& device, trace::Log& log, Quality quality,
        const scene::LayoutOptions& layout = {}, const std::vector<trace::Log*>& beside = {});

  // Who answers when tensors are looked at from near; without one they have no numbers.
  // given_up: whether a picture need not wait for them any longer.
  void ask(engine::Control* control, std::function<bool()> given_up = {}) {
    control_ = control;
    given_up_ = std::move(given_up);
  }
  // As of the newest frame.
  const TensorView& tensors() const { return tensors_; }
  // The element + 1 that a word of the newest frame at this pixel means; 0: there is none.
  uint32_t lettered_at(glm::vec2 pixel) const;

  // Takes in what is new in the trace. True when the picture may have changed.
  bool poll();
  // Where what is new begins, in steps, when a conversation began or went on since the last call:
  // the playhead belongs there.
  std::optional<double> take_beginning() { return std::exchange(beginning_, {}); }

  // False until the trace has described its model; nothing can be drawn before.
  bool ready() const { return layout_ != nullptr; }
  const trace::Reader& reader() const { return reader_; }
  const scene::Layout& layout() const { return *layout_; }
  Renderer& renderer() { return renderer_; }
  const Renderer& renderer() const { return renderer_; }

  // Columns that a home view should take in: what there is so far, within reason.
  uint32_t columns_in_view() const;
  // A structure, of which nothing is known to have happened.
  bool at_rest() const { return reader_.finished() && reader_.steps() == 0; }
  // The column at the front.
  float now(double playhead, double merge = 1.0, bool glide = true) const;
  // Where a node is drawn at this playhead.
  glm::vec3 where(uint32_t node, double playhead) const;

  // Whose an element is: one of several models, each with its trace.
  const scene::Subject& subject_of(uint32_t element) const {
    return subjects_[layout_->ref(element).subject];
  }

  // A bolt of the picture; of a fork the bolt that it leaves. Nothing when there is none of the
  // kind.
  std::optional<shaders::Bolt> bolt(const BoltRef& ref) const;
  // Those of a step that begin or end at an element, of the largest share first.
  std::vector<BoltRef> bolts_at(uint32_t element, uint64_t step) const;

  // Which term of which sum it is, of the model that it belongs to.
  scene::BoltMeaning meaning(uint64_t step, const shaders::Bolt& bolt) const;

  // What draw() does first: the sheets of a view, so that panels that are made before it know them.
  void look_at_tensors(const View& view, glm::vec2 viewport);
  // False: the target had nothing to draw on.
  bool draw(Target& target, const View& view);
  shaders::Frame frame(const View& view, glm::vec2 viewport) const;
  const StageTimes& times() const { return times_; }

 private:
  scene::Script script(uint64_t step, bool newest = true) const;
  void describe();
  // Steps that this frame shows come onto the GPU.
  void show_steps(const View& view, FrameInput& input);

  Quality quality_;
  engine::Control* control_ = nullptr;
  std::function<bool()> given_up_;
  TensorView tensors_;
  trace::Reader reader_;
  Renderer renderer_;
  StepsInSight steps_;
  scene::LayoutOptions layout_options_;
  struct Beside {
    explicit Beside(trace::Log& log) : reader(log) {}
    trace::Reader reader;
    std::unique_ptr<scene::Layout> layout{};  // of it alone
  };
  std::vector<std::unique_ptr<Beside>> beside_;
  std::unique_ptr<scene::Layout> layout_;
  std::vector<scene::Subject> subjects_;  // all of them, the first one too
  std::unique_ptr<scene::Occluders> occluders_;
  uint64_t conversation_ = 0;
  StageTimes times_;
  // The last bolts that were asked for: a script is long.
  mutable std::vector<std::pair<BoltRef, shaders::Bolt>> bolts_;
  uint64_t continuation_ = 0;
  std::optional<double> beginning_;
  bool shown_all_ = false;
  uint32_t shown_position_ = 0;                             // whose activations the sheets show
  std::vector<std::pair<scene::Rect, uint32_t>> lettered_;  // words and the elements they mean, + 1
};

}  // namespace render
