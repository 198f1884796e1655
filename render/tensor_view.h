// Tensors as textures: which sheets and tiles this frame shows, the quads that draw them, the words
// and numbers on them, and the cell under a point. Main thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "render/label.h"
#include "render/scene/camera.h"
#include "render/scene/cell_sources.h"
#include "render/scene/occlusion.h"
#include "render/scene/palette.h"
#include "render/scene/placement.h"
#include "render/tensor_store.h"
#include "shaders/shared.h"

namespace render {

class TensorView {
 public:
  TensorView();

  struct Input {
    const trace::Reader& reader;
    const scene::Layout& layout;
    engine::Control* control;  // null: a trace without its model
    const scene::Camera& camera;
    const scene::Palette& palette;
    glm::vec2 viewport{1.0F};  // pixels
    uint32_t position = 0;     // whose activations are shown
    std::optional<scene::CellRef> hovered{};
    std::optional<scene::CellRef> selected{};
  };
  // Once a frame, before it is drawn.
  void update(const Input& input);

  const std::vector<scene::Sheet>& sheets() const { return sheets_; }
  const std::vector<shaders::TileQuad>& quads() const { return quads_; }
  const TensorStore& store() const { return store_; }
  // Slots with new texels since the last call.
  std::vector<uint32_t> take_fresh() { return store_.take_fresh(); }
  // As the newest frame had it.
  const glm::mat4& clip_from_eye() const { return clip_from_eye_; }

  struct Words {
    const scene::Palette& palette;
    glm::mat4 clip_from_world{1.0F};              // with which the labels will be projected
    float size_px = 14.0F;                        // of a normal label
    const scene::Occluders* occluders = nullptr;  // what words are hidden by; null: nothing
    float now = 0.0F;                             // column at the front
    std::span<const scene::Rect> taken{};  // by the scene's own words, to which titles give way
  };
  // Titles with shapes, scales, the numbers of lines and of cells.
  std::vector<Label> labels(const Words& words) const;
  // Where one is, when a sheet fills the middle of the frame.
  struct Place {
    std::string cell;    // the selected one, or the one in the middle; with its number
    std::string tensor;  // its shape, what it is, its scale
  };
  std::optional<Place> place(const scene::Layout& layout,
                             const std::optional<scene::CellRef>& selected) const;
  // The outlines of parts of the sheets that can be seen.
  void outline(const std::vector<scene::CellSource>& parts, const scene::Palette& palette,
               float width_px, std::vector<shaders::Line>& lines) const;
  // Whether what a label stands for lies behind a sheet.
  bool covers(const Label& label, const glm::mat4& clip_from_world) const;

  // There is nothing to be seen but one sheet.
  bool fills_frame() const;

  // What is under a point of the frame (normalised, -1..1, y down): of the sheets that have
  // appeared.
  std::optional<scene::SheetHit> under(glm::vec2 point) const;

  // From the eye through a point of the frame, unit length.
  glm::dvec3 ray(glm::vec2 point) const;

 private:
  std::optional<glm::vec2> pixel(const glm::dvec3& world) const;
  // Cells down that are there at the position that is shown.
  int64_t present(const scene::Sheet& sheet) const;
  void add_quad(const Input& input, size_t index, const scene::WantedTile& tile);
  class Writer;

  TensorStore store_;
  std::vector<scene::Sheet> sheets_;  // that have begun to appear
  std::vector<float> appearance_;     // of each
  std::vector<shaders::TileQuad> quads_;
  glm::dvec3 eye_{0.0};
  glm::mat4 clip_from_eye_{1.0F};
  glm::dmat4 eye_from_clip_{1.0};
  glm::vec2 viewport_{1.0F};
  double pixel_size_ = 1e-3;
  bool answered_ = true;   // somebody is there to answer
  uint32_t position_ = 0;  // whose activations are shown
};

}  // namespace render
