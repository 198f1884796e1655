#include "render/scene/sheets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace scene {

namespace {

// Share of the frame's height at which a group begins to appear, and at which it is all there.
constexpr double kBegins = 0.11;
constexpr double kComplete = 0.2;

double side(double n) {
  return std::sqrt(n);
}

std::string block(uint32_t layer) {
  return "blk." + std::to_string(layer) + ".";
}

// A rectangle in the plane z, seen from the front.
struct Frame {
  glm::dvec3 top_left{0.0};
  double width = 0.0, height = 0.0;
};

// Puts matrices side by side and vectors along their sides, then fits the whole into a frame.
class Group {
 public:
  // channels: C, the height of every matrix, in cells.
  Group(double channels, NodeRef node, uint32_t element, uint32_t channel)
      : height_(side(channels)),
        thickness_(std::min(3.0, 0.12 * side(channels))),
        gap_(0.035 * side(channels)),
        node_(node),
        element_(element),
        channel_(channel) {}

  // A matrix with C down; `under` is the vector that lies along its lower side.
  void matrix(Sheet sheet, const Sheet* under = nullptr) {
    const double width = side(static_cast<double>(sheet.cells_across()));
    put(std::move(sheet), pen_, 0.0, width, height_);
    if (under != nullptr) put(*under, pen_, height_ + gap_, width, thickness_);
    if (under != nullptr) deep_ = true;
    pen_ += width + gap_;
  }
  // A vector of C values, down.
  void column(Sheet sheet) {
    put(std::move(sheet), pen_, 0.0, thickness_, height_);
    pen_ += thickness_ + gap_;
  }

  enum class Align { kLeft, kCenter };
  std::vector<Sheet> fit(const Frame& frame, Align align) {
    const double width = pen_ - gap_;
    const double height = height_ + (deep_ ? gap_ + thickness_ : 0.0);
    const double s = std::min(frame.width / width, frame.height / height);
    glm::dvec3 origin = frame.top_left;
    if (align == Align::kCenter) origin.x += 0.5 * (frame.width - s * width);
    origin.y -= 0.5 * (frame.height - s * height);
    for (Sheet& sheet : sheets_) {
      sheet.corner = origin + glm::dvec3(sheet.corner.x, -sheet.corner.y, 0.0) * s;
      sheet.across *= s;
      sheet.down *= s;
      sheet.size = s * std::min(width, height);
    }
    return std::move(sheets_);
  }

 private:
  void put(Sheet sheet, double x, double y, double width, double height) {
    sheet.node = node_;
    sheet.element = element_;
    sheet.channel = channel_;
    sheet.corner = {x, y, 0.0};
    sheet.across = {width, 0.0, 0.0};
    sheet.down = {0.0, -height, 0.0};
    sheets_.push_back(std::move(sheet));
  }

  double height_, thickness_, gap_;
  NodeRef node_;
  uint32_t element_, channel_;
  double pen_ = 0.0;
  bool deep_ = false;
  std::vector<Sheet> sheets_;
};

Sheet weight(SheetId id, const char* title, std::string name, int64_t first_row, int64_t rows,
             int64_t first_col, int64_t cols, bool transposed) {
  Sheet sheet;
  sheet.id = id;
  sheet.title = title;
  sheet.name = std::move(name);
  sheet.first_row = first_row;
  sheet.rows = rows;
  sheet.first_col = first_col;
  sheet.cols = cols;
  sheet.transposed = transposed;
  return sheet;
}

// Row `row` of a tap; down: it stands upright.
Sheet vector_of(SheetId id, const char* title, std::string name, int64_t row, int64_t n,
                bool down) {
  Sheet sheet = weight(id, title, std::move(name), row, 1, 0, n, down);
  sheet.stored = false;
  return sheet;
}

std::string path_of_group(const Layout& layout, const Sheet& sheet) {
  switch (sheet.node.kind) {
    case Kind::kCell:
      return "layer " + std::to_string(sheet.node.layer) + " > FFN";
    case Kind::kTape:
      return "tape";
    case Kind::kCandidate:
      return "crown";
    default:
      return layout.path(sheet.node);
  }
}

}  // namespace

std::vector<Sheet> head_sheets(const Layout& layout, uint32_t layer, uint32_t head) {
  const trace::ModelRecord& m = layout.model();
  const int64_t c = m.width;
  const int64_t d = m.head_width;
  const int64_t lane = int64_t{head} * m.kv_heads / m.heads;
  const std::string blk = block(layer);
  const auto id = [&](Part part) { return SheetId{part, layer, head}; };
  const uint32_t element = layout.head(layer, head);
  Group group(static_cast<double>(c), {Kind::kHead, layer, head, 0}, element,
              shaders::kChannelAttention);
  const Sheet q = vector_of(id(Part::kQ), "q", blk + "attn.q", head, d, false);
  const Sheet k = vector_of(id(Part::kK), "k", blk + "attn.k", lane, d, false);
  const Sheet v = vector_of(id(Part::kV), "v", blk + "attn.v", lane, d, false);
  const Sheet z = vector_of(id(Part::kMix), "z", blk + "attn.z", head, d, false);
  group.column(vector_of(id(Part::kNormed), "n", blk + "attn.norm", 0, c, true));
  group.matrix(weight(id(Part::kQuery), "W_q", blk + "attn_q.weight", head * d, d, 0, c, true), &q);
  group.matrix(weight(id(Part::kKey), "W_k", blk + "attn_k.weight", lane * d, d, 0, c, true), &k);
  group.matrix(weight(id(Part::kValue), "W_v", blk + "attn_v.weight", lane * d, d, 0, c, true), &v);
  group.matrix(
      weight(id(Part::kOutput), "W_o", blk + "attn_output.weight", 0, c, head * d, d, false), &z);
  group.column(vector_of(id(Part::kHeadOut), "o", blk + "attn.head_out", head, c, true));
  // On the front of the head's box.
  const shaders::Node box = layout.nodes()[element];
  const glm::dvec3 half = glm::dvec3(box.half_size) * 0.9;
  const glm::dvec3 center(box.center);
  return group.fit(
      {{center.x - half.x, center.y + half.y, center.z + double{box.half_size.z} * 1.02 + 0.001},
       2.0 * half.x,
       2.0 * half.y},
      Group::Align::kCenter);
}

std::vector<Sheet> ffn_sheets(const Layout& layout, uint32_t layer) {
  const trace::ModelRecord& m = layout.model();
  const int64_t c = m.width;
  const int64_t f = m.neurons;
  const std::string blk = block(layer);
  const auto id = [&](Part part) { return SheetId{part, layer, 0}; };
  const uint32_t element = layout.cell(layer, 0);
  Group group(static_cast<double>(c), {Kind::kCell, layer, 0, 0}, element, shaders::kChannelFfn);
  const Sheet gate = vector_of(id(Part::kGateOut), "gate", blk + "ffn.gate", 0, f, false);
  const Sheet up = vector_of(id(Part::kUpOut), "up", blk + "ffn.up", 0, f, false);
  const Sheet act = vector_of(id(Part::kAct), "act", blk + "ffn.act", 0, f, false);
  group.column(vector_of(id(Part::kFfnNormed), "m", blk + "ffn.norm", 0, c, true));
  group.matrix(weight(id(Part::kGate), "W_gate", blk + "ffn_gate.weight", 0, f, 0, c, true), &gate);
  group.matrix(weight(id(Part::kUp), "W_up", blk + "ffn_up.weight", 0, f, 0, c, true), &up);
  group.matrix(weight(id(Part::kDown), "W_down", blk + "ffn_down.weight", 0, c, 0, f, false), &act);
  group.column(vector_of(id(Part::kFfnOut), "df", blk + "ffn.out", 0, c, true));
  // Below the plate of cells.
  double left = std::numeric_limits<double>::max();
  double low = left;
  double z = 0.0;
  for (const uint32_t bucket : {0U, m.buckets - 1}) {
    const shaders::Node cell = layout.nodes()[layout.cell(layer, bucket)];
    left = std::min(left, double{cell.center.x} - double{cell.half_size.x});
    low = std::min(low, double{cell.center.y} - double{cell.half_size.y});
    z = double{cell.center.z} + double{cell.half_size.z};
  }
  const double pitch = double{layout.pitch()};
  const double floor = double{layout.storey_y(layer)} + 0.02 * pitch;
  const double top = std::max(low - 0.03 * pitch, floor + 0.1 * pitch);
  return group.fit({{left, top, z}, double{layout.ffn_right()} - left, top - floor},
                   Group::Align::kLeft);
}

std::vector<Sheet> crown_sheets(const Layout& layout) {
  const trace::ModelRecord& m = layout.model();
  const auto id = [&](Part part) { return SheetId{part, m.layers, 0}; };
  const uint32_t element = layout.candidate(0);
  Group group(static_cast<double>(m.width), {Kind::kCandidate, m.layers, 0, 0}, element,
              shaders::kChannelCrown);
  const Sheet logits = vector_of(id(Part::kLogits), "logits", "logits", 0, m.vocabulary, false);
  group.column(vector_of(id(Part::kLastNormed), "norm", "norm", 0, m.width, true));
  group.matrix(
      weight(id(Part::kUnembed), "W_U", "output.weight", 0, m.vocabulary, 0, m.width, true),
      &logits);
  // Behind the bars.
  const double y = double{layout.crown_y()};
  return group.fit({{-4.0, y + 1.3, -0.6}, 8.0, 1.25}, Group::Align::kCenter);
}

std::vector<Sheet> tape_sheets(const Layout& layout) {
  const trace::ModelRecord& m = layout.model();
  const auto id = [&](Part part) { return SheetId{part, 0, 0}; };
  const uint32_t element = layout.tape(0);
  Group group(static_cast<double>(m.width), {Kind::kTape, 0, 0, 0}, element, shaders::kChannelTape);
  group.column(vector_of(id(Part::kEmbedded), "x", "embd", 0, m.width, true));
  group.matrix(
      weight(id(Part::kEmbed), "E", "token_embd.weight", 0, m.vocabulary, 0, m.width, true));
  // Beside the tape, on the floor.
  const double floor = double{layout.nodes()[element].center.y};
  return group.fit({{0.75, floor + 0.62, 0.1}, 8.0, 0.58}, Group::Align::kLeft);
}

std::optional<Sheet> find_sheet(const Layout& layout, const SheetId& id) {
  const trace::ModelRecord& m = layout.model();
  std::vector<Sheet> group;
  if (id.part <= Part::kHeadOut) {
    if (id.layer >= m.layers || id.index >= m.heads) return {};
    group = head_sheets(layout, id.layer, id.index);
  } else if (id.part <= Part::kFfnOut) {
    if (id.layer >= m.layers) return {};
    group = ffn_sheets(layout, id.layer);
  } else {
    group = id.part <= Part::kLogits ? crown_sheets(layout) : tape_sheets(layout);
  }
  for (Sheet& sheet : group) {
    if (sheet.id.part == id.part) return std::move(sheet);
  }
  return {};
}

namespace {

// Distance from a point to a sheet's rectangle.
double distance_to(const Sheet& sheet, const glm::dvec3& eye) {
  const glm::dvec3 to = eye - sheet.corner;
  const double u =
      std::clamp(glm::dot(to, sheet.across) / glm::dot(sheet.across, sheet.across), 0.0, 1.0);
  const double v =
      std::clamp(glm::dot(to, sheet.down) / glm::dot(sheet.down, sheet.down), 0.0, 1.0);
  return glm::length(to - sheet.across * u - sheet.down * v);
}

// Farther away than this a group of that size has not begun to appear.
double reach(double size, double pixel_size, double height) {
  return size / (kBegins * pixel_size * height);
}

}  // namespace

float appearance(const Sheet& sheet, const glm::dvec3& eye, double pixel_size, double height) {
  const double distance = std::max(distance_to(sheet, eye), 1e-9);
  const double share = sheet.size / (distance * pixel_size * height);
  const double t = std::clamp((share - kBegins) / (kComplete - kBegins), 0.0, 1.0);
  return static_cast<float>(t * t * (3.0 - 2.0 * t));
}

std::vector<Sheet> sheets_near(const Layout& layout, const glm::dvec3& eye, double pixel_size,
                               double height) {
  const trace::ModelRecord& m = layout.model();
  std::vector<std::pair<double, std::vector<Sheet>>> groups;
  const auto consider = [&](std::vector<Sheet> group) {
    double distance = std::numeric_limits<double>::max();
    for (const Sheet& sheet : group) distance = std::min(distance, distance_to(sheet, eye));
    if (distance < reach(group[0].size, pixel_size, height)) {
      groups.emplace_back(distance, std::move(group));
    }
  };
  consider(crown_sheets(layout));
  consider(tape_sheets(layout));
  // Storeys within reach. All heads are of one size, and all FFNs.
  const double pitch = double{layout.pitch()};
  const auto storeys = [&](double size) {
    const double far = reach(size, pixel_size, height);
    const auto clamped = [&](double y) {
      return static_cast<uint32_t>(std::clamp(std::floor(y / pitch), 0.0, double(m.layers - 1)));
    };
    const bool any = eye.y + far >= 0.0 && eye.y - far <= pitch * m.layers;
    return any ? std::array<uint32_t, 2>{clamped(eye.y - far), clamped(eye.y + far)}
               : std::array<uint32_t, 2>{1, 0};
  };
  const double ffn_size = ffn_sheets(layout, 0)[0].size;
  const auto [ffn_low, ffn_high] = storeys(ffn_size);
  for (uint32_t l = ffn_low; l <= ffn_high; ++l) consider(ffn_sheets(layout, l));
  const double head_size = head_sheets(layout, 0, 0)[0].size;
  const double head_reach = reach(head_size, pixel_size, height);
  const auto [low, high] = storeys(head_size);
  for (uint32_t l = low; l <= high; ++l) {
    for (uint32_t h = 0; h < m.heads; ++h) {
      // A cheap look at the box before anything is built.
      const shaders::Node box = layout.nodes()[layout.head(l, h)];
      const double away = glm::length(glm::dvec3(box.center) - eye);
      if (away - glm::length(glm::dvec3(box.half_size)) < head_reach) {
        consider(head_sheets(layout, l, h));
      }
    }
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Sheet> sheets;
  for (auto& [distance, group] : groups) {
    for (Sheet& sheet : group) sheets.push_back(std::move(sheet));
  }
  return sheets;
}

std::string path(const Layout& layout, const CellRef& cell) {
  const std::optional<Sheet> sheet = find_sheet(layout, cell.sheet);
  if (!sheet) return {};
  std::string text = path_of_group(layout, *sheet) + " > " + sheet->title + " > ";
  if (sheet->stored) text += "row " + std::to_string(cell.row) + ", column ";
  return text + std::to_string(cell.col);
}

std::optional<CellRef> find_cell(const Layout& layout, std::string_view text) {
  const size_t open = text.find('[');
  if (open == std::string_view::npos || text.back() != ']') return {};
  const std::string_view name = text.substr(0, open);
  const char* at = text.data() + open + 1;
  const char* end = text.data() + text.size() - 1;
  int64_t row = 0;
  int64_t col = 0;
  auto parsed = std::from_chars(at, end, row);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ',') return {};
  parsed = std::from_chars(parsed.ptr + 1, end, col);
  if (parsed.ec != std::errc() || parsed.ptr != end) return {};

  const trace::ModelRecord& m = layout.model();
  uint32_t layer = 0;
  if (name.starts_with("blk.")) {
    const auto number = std::from_chars(name.data() + 4, name.data() + name.size(), layer);
    if (number.ec != std::errc() || layer >= m.layers) return {};
  }
  const auto search = [&](const std::vector<Sheet>& sheets) -> std::optional<CellRef> {
    for (const Sheet& s : sheets) {
      if (s.name == name && row >= s.first_row && row < s.first_row + s.rows &&
          col >= s.first_col && col < s.first_col + s.cols) {
        return CellRef{s.id, row, col};
      }
    }
    return {};
  };
  if (!name.starts_with("blk.")) {
    const auto found = search(crown_sheets(layout));
    return found ? found : search(tape_sheets(layout));
  }
  if (const auto found = search(ffn_sheets(layout, layer))) return found;
  for (uint32_t h = 0; h < m.heads; ++h) {
    if (const auto found = search(head_sheets(layout, layer, h))) return found;
  }
  return {};
}

glm::dvec2 place(const Sheet& sheet, const CellRef& cell) {
  const auto row = static_cast<double>(cell.row - sheet.first_row);
  const auto col = static_cast<double>(cell.col - sheet.first_col);
  return sheet.transposed ? glm::dvec2(row, col) : glm::dvec2(col, row);
}

std::optional<SheetHit> hit(const std::vector<Sheet>& sheets, const glm::dvec3& eye,
                            const glm::dvec3& ray) {
  std::optional<SheetHit> nearest;
  for (size_t i = 0; i < sheets.size(); ++i) {
    const Sheet& s = sheets[i];
    const glm::dvec3 normal = glm::cross(s.across, s.down);
    const double towards = glm::dot(ray, normal);
    if (towards == 0.0) continue;
    const double distance = glm::dot(s.corner - eye, normal) / towards;
    if (distance <= 0.0 || (nearest && distance >= nearest->distance)) continue;
    const glm::dvec3 on = eye + ray * distance - s.corner;
    const double u = glm::dot(on, s.across) / glm::dot(s.across, s.across);
    const double v = glm::dot(on, s.down) / glm::dot(s.down, s.down);
    if (u < 0.0 || u >= 1.0 || v < 0.0 || v >= 1.0) continue;
    const auto x = static_cast<int64_t>(u * static_cast<double>(s.cells_across()));
    const auto y = static_cast<int64_t>(v * static_cast<double>(s.cells_down()));
    const int64_t row = s.first_row + (s.transposed ? x : y);
    const int64_t col = s.first_col + (s.transposed ? y : x);
    nearest = SheetHit{i, {s.id, row, col}, distance};
  }
  return nearest;
}

}  // namespace scene
