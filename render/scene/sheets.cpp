#include "render/scene/sheets.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace scene {

namespace {

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

// On the front of a box: so much of its sides.
Frame front_of(const shaders::Node& box, double share) {
  const glm::dvec3 half = glm::dvec3(box.half_size) * share;
  const glm::dvec3 center(box.center);
  return {{center.x - half.x, center.y + half.y, center.z + double{box.half_size.z} * 1.02 + 0.001},
          2.0 * half.x,
          2.0 * half.y};
}

// Puts matrices side by side and vectors along their sides, then fits the whole into a frame.
class Group {
 public:
  // height: of every matrix, in cells: C as a rule.
  Group(double height, NodeRef node, uint32_t element, uint32_t channel)
      : height_(side(height)),
        thickness_(std::min(3.0, 0.12 * side(height))),
        gap_(0.035 * side(height)),
        node_(node),
        element_(element),
        channel_(channel) {}

  // `under`: the vectors that lie along its lower side.
  void matrix(Sheet sheet, std::vector<Sheet> under = {}) {
    const double width = side(static_cast<double>(sheet.cells_across()));
    put(std::move(sheet), pen_, 0.0, width, height_);
    double y = height_;
    for (Sheet& vector : under) {
      put(std::move(vector), pen_, y + gap_, width, thickness_);
      y += gap_ + thickness_;
    }
    lowest_ = std::max(lowest_, y);
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
    const double height = std::max(height_, lowest_);
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
  double lowest_ = 0.0;
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
  const std::string storey = "layer " + std::to_string(sheet.id.layer);
  switch (sheet.node.kind) {
    case Kind::kCell:
      if (sheet.id.part <= Part::kFfnOut) return storey + " > FFN";
      return storey + " > FFN > " +
             expert_name(layout.structure(), static_cast<uint32_t>(sheet.id.index));
    case Kind::kSlot:
      return storey + " > KV shelf > KV head " + std::to_string(sheet.id.index);
    case Kind::kSpineAttention:
    case Kind::kSpineFfn:
      return storey + " > residual stream";
    case Kind::kTape:
      return "tape";
    case Kind::kCandidate:
      return "crown";
    default:
      return layout.path(sheet.node);
  }
}

bool is_mixture(const Layout& layout, uint32_t layer) {
  return layout.router(layer) != shaders::kNoElement;
}

}  // namespace

std::vector<Sheet> head_sheets(const Layout& layout, uint32_t layer, uint32_t head) {
  const trace::ModelRecord& m = layout.model();
  const int64_t c = m.width;
  const int64_t d = m.head_width;
  const int64_t mix = layout.structure().query_width / m.heads;
  const int64_t lane = trace::kv_head_of(m, head);
  const std::string blk = block(layer);
  const auto id = [&](Part part) { return SheetId{part, layer, head}; };
  const uint32_t element = layout.head(layer, head);
  Group group(static_cast<double>(c), {Kind::kHead, layer, head, 0}, element,
              shaders::kChannelAttention);
  std::vector<Sheet> q = {vector_of(id(Part::kQ), "q", blk + "attn.q", head, d, false)};
  std::vector<Sheet> k = {vector_of(id(Part::kK), "k", blk + "attn.k", lane, d, false)};
  // One gain for all heads, or one for all of a projection.
  const uint32_t flags = layout.structure().flags;
  if ((flags & (trace::kStructureHeadNorms | trace::kStructureProjectionNorms)) != 0) {
    const bool own = (flags & trace::kStructureHeadNorms) == 0;
    q.push_back(weight(id(Part::kQueryGain), "g_q", blk + "attn_q_norm.weight", 0, 1,
                       own ? head * d : 0, d, false));
    k.push_back(weight(id(Part::kKeyGain), "g_k", blk + "attn_k_norm.weight", 0, 1,
                       own ? lane * d : 0, d, false));
  }
  const Sheet v = vector_of(id(Part::kV), "v", blk + "attn.v", lane, d, false);
  const Sheet z = vector_of(id(Part::kMix), "z", blk + "attn.z", head, mix, false);
  group.column(vector_of(id(Part::kNormed), "n", blk + "attn.norm", 0, c, true));
  const auto rows = [&](Part part, const char* title, const char* name, int64_t first) {
    return weight(id(part), title, blk + name, first, d, 0, c, true);
  };
  if (layout.latent()) {
    // q is made by matrices that have no sheet.
    group.matrix(rows(Part::kKey, "W_DKV", "attn_kv_a_mqa.weight", 0), {k.front()});
  } else {
    group.matrix(rows(Part::kQuery, "W_q", "attn_q.weight", head * d), q);
    group.matrix(rows(Part::kKey, "W_k", "attn_k.weight", lane * d), k);
    group.matrix(rows(Part::kValue, "W_v", "attn_v.weight", lane * d), {v});
  }
  group.matrix(
      weight(id(Part::kOutput), "W_o", blk + "attn_output.weight", 0, c, head * mix, mix, false),
      {z});
  group.column(vector_of(id(Part::kHeadOut), "o", blk + "attn.head_out", head, c, true));
  return group.fit(front_of(layout.node(element), 0.9), Group::Align::kCenter);
}

// Across the front of a shelf, before its newest column.
std::vector<Sheet> lane_sheets(const Layout& layout, uint32_t layer, uint32_t kv_head) {
  const trace::ModelRecord& m = layout.model();
  const int64_t d = m.head_width;
  const auto rows = static_cast<int64_t>(m.context);
  const uint32_t element = layout.slot(layer, kv_head, 0);
  Group group(static_cast<double>(rows), {Kind::kSlot, layer, kv_head, 0}, element,
              shaders::kChannelKv);
  for (const bool keys : {true, false}) {
    if (!keys && layout.latent()) break;  // the beginning of the keys
    Sheet sheet = weight({keys ? Part::kKeys : Part::kValues, layer, kv_head}, keys ? "K" : "V",
                         block(layer) + (keys ? "kv.k" : "kv.v"), 0, rows, kv_head * d, d, false);
    sheet.stored = false;
    sheet.grows = true;
    group.matrix(std::move(sheet));
  }
  const shaders::Node slot = layout.node(element);
  const double pitch = double{layout.pitch()};
  const double low = double{slot.center.y} + double{slot.half_size.y} + 0.01 * pitch;
  const double high = double{layout.storey_y(layer)} + 0.21 * pitch;
  const double half = double{slot.half_size.x} * 0.96;
  return group.fit({{double{slot.center.x} - half, high, double{shaders::past_z(-0.5F)} + 0.01},
                    2.0 * half,
                    high - low},
                   Group::Align::kCenter);
}

std::vector<Sheet> spine_sheets(const Layout& layout, uint32_t layer, bool ffn) {
  const trace::ModelRecord& m = layout.model();
  const int64_t c = m.width;
  const std::string blk = block(layer);
  const uint32_t element = layout.spine(layer, ffn, Layout::kSpineParts / 2);
  Group group(static_cast<double>(c),
              {ffn ? Kind::kSpineFfn : Kind::kSpineAttention, layer, Layout::kSpineParts / 2, 0},
              element, shaders::kChannelResidual);
  const auto gain = [&](Part part, const char* title, const std::string& name) {
    group.column(weight({part, layer, 0}, title, blk + name + ".weight", 0, 1, 0, c, true));
  };
  const auto stream = [&](Part part, const char* title, const std::string& name) {
    group.column(vector_of({part, layer, 0}, title, blk + name, 0, c, true));
  };
  const bool before = (layout.structure().flags & trace::kStructureBareReads) == 0;
  const bool after = (layout.structure().flags & trace::kStructurePostNorms) != 0;
  if (ffn) {
    stream(Part::kBetween, "x", "resid.mid");
    if (before) gain(Part::kFfnGain, "g", "ffn_norm");
    stream(Part::kFfnUpdate, "df", "ffn.out");
    if (after) gain(Part::kFfnAfter, "g'", "post_ffw_norm");
    stream(Part::kBehind, "x + df", "resid.post");
  } else {
    stream(Part::kBefore, "x", "resid.pre");
    if (before) gain(Part::kAttentionGain, "g", "attn_norm");
    stream(Part::kAttentionOut, "da", "attn.out");
    if (after) gain(Part::kAttentionAfter, "g'", "post_attention_norm");
  }
  // On the front of the rail.
  const shaders::Node lowest = layout.node(layout.spine(layer, ffn, 0));
  const shaders::Node highest = layout.node(layout.spine(layer, ffn, Layout::kSpineParts - 2));
  const double half = double{lowest.half_size.x} * 0.94;
  const double low = double{lowest.center.y} - double{lowest.half_size.y};
  const double high = double{highest.center.y} + double{highest.half_size.y};
  return group.fit({{double{lowest.center.x} - half, high,
                     double{lowest.center.z} + double{lowest.half_size.z} * 1.02 + 0.001},
                    2.0 * half,
                    high - low},
                   Group::Align::kCenter);
}

std::vector<Sheet> ffn_sheets(const Layout& layout, uint32_t layer) {
  if (is_mixture(layout, layer)) return {};
  const trace::ModelRecord& m = layout.model();
  const trace::StructureRecord& s = layout.structure();
  const int64_t c = m.width;
  const int64_t f = s.experts > 0 ? s.dense_neurons : m.neurons;
  const std::string blk = block(layer);
  const auto id = [&](Part part) { return SheetId{part, layer, 0}; };
  const uint32_t element = layout.cell(layer, 0);
  Group group(static_cast<double>(c), {Kind::kCell, layer, 0, 0}, element, shaders::kChannelFfn);
  const Sheet gate = vector_of(id(Part::kGateOut), "gate", blk + "ffn.gate", 0, f, false);
  const Sheet up = vector_of(id(Part::kUpOut), "up", blk + "ffn.up", 0, f, false);
  const Sheet act = vector_of(id(Part::kAct), "act", blk + "ffn.act", 0, f, false);
  group.column(vector_of(id(Part::kFfnNormed), "m", blk + "ffn.norm", 0, c, true));
  group.matrix(weight(id(Part::kGate), "W_gate", blk + "ffn_gate.weight", 0, f, 0, c, true),
               {gate});
  group.matrix(weight(id(Part::kUp), "W_up", blk + "ffn_up.weight", 0, f, 0, c, true), {up});
  group.matrix(weight(id(Part::kDown), "W_down", blk + "ffn_down.weight", 0, c, 0, f, false),
               {act});
  group.column(vector_of(id(Part::kFfnOut), "df", blk + "ffn.out", 0, c, true));
  // Below the plate of cells.
  double left = std::numeric_limits<double>::max();
  double low = left;
  double z = 0.0;
  for (const uint32_t bucket : {0U, m.buckets - 1}) {
    const shaders::Node cell = layout.node(layout.cell(layer, bucket));
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

std::vector<Sheet> router_sheets(const Layout& layout, uint32_t layer) {
  if (!is_mixture(layout, layer)) return {};
  const int64_t c = layout.model().width;
  const int64_t experts = layout.structure().experts;
  const std::string blk = block(layer);
  const auto id = [&](Part part) { return SheetId{part, layer, 0}; };
  const uint32_t element = layout.router(layer);
  Group group(static_cast<double>(c), {Kind::kRouter, layer, 0, 0}, element, shaders::kChannelFfn);
  group.column(vector_of(id(Part::kRouterNormed), "m", blk + "ffn.norm", 0, c, true));
  group.matrix(
      weight(id(Part::kRouter), "W_router", blk + "ffn_gate_inp.weight", 0, experts, 0, c, true),
      {vector_of(id(Part::kProbability), "p", blk + "router", 0, experts, false)});
  return group.fit(front_of(layout.node(element), 0.94), Group::Align::kCenter);
}

std::vector<Sheet> expert_sheets(const Layout& layout, uint32_t layer, uint32_t expert) {
  const Box plate = layout.expert_plate(layer, expert);
  if (!(plate.half_size.x > 0.0F)) return {};
  const trace::StructureRecord& s = layout.structure();
  const int64_t c = layout.model().width;
  const bool shared = expert == s.experts;
  const int64_t f = shared ? s.shared_neurons : s.expert_neurons;
  const int64_t first = int64_t{expert} * s.expert_neurons;  // in the activations of all
  const std::string blk = block(layer);
  const std::string of = shared ? "_shexp.weight" : "." + std::to_string(expert) + ".weight";
  const auto id = [&](Part part) { return SheetId{part, layer, expert}; };
  const uint32_t cell = layout.cell_of(layer, static_cast<uint32_t>(first));
  Group group(static_cast<double>(c), layout.ref(cell), cell, shaders::kChannelFfn);
  const auto made = [&](Part part, const char* title, const char* name) {
    Sheet sheet = vector_of(id(part), title, blk + name, 0, f, false);
    sheet.first_col = first;
    return std::vector{sheet};
  };
  group.column(vector_of(id(Part::kExpertNormed), "m", blk + "ffn.norm", 0, c, true));
  group.matrix(weight(id(Part::kExpertGate), "W_gate", blk + "ffn_gate" + of, 0, f, 0, c, true),
               made(Part::kExpertGateOut, "gate", "ffn.gate"));
  group.matrix(weight(id(Part::kExpertUp), "W_up", blk + "ffn_up" + of, 0, f, 0, c, true),
               made(Part::kExpertUpOut, "up", "ffn.up"));
  group.matrix(weight(id(Part::kExpertDown), "W_down", blk + "ffn_down" + of, 0, c, 0, f, false),
               made(Part::kExpertAct, "act", "ffn.act"));
  if (shared && (s.flags & trace::kStructureSharedWhole) == 0) {
    group.column(
        weight(id(Part::kSharedGate), "w_s", blk + "ffn_gate_inp_shexp.weight", 0, 1, 0, c, true));
  }
  // On its plate, over the lower half of its cells.
  const glm::dvec3 half(plate.half_size);
  const glm::dvec3 center(plate.center);
  const double height = half.y;
  return group.fit(
      {{center.x - 0.97 * half.x, center.y - half.y + height, center.z + half.z * 1.02 + 0.001},
       1.94 * half.x,
       0.98 * height},
      Group::Align::kLeft);
}

std::vector<Sheet> crown_sheets(const Layout& layout) {
  const trace::ModelRecord& m = layout.model();
  const auto id = [&](Part part) { return SheetId{part, m.layers, 0}; };
  const uint32_t element = layout.candidate(0);
  Group group(static_cast<double>(m.width), {Kind::kCandidate, m.layers, 0, 0}, element,
              shaders::kChannelCrown);
  const Sheet logits = vector_of(id(Part::kLogits), "logits", "logits", 0, m.vocabulary, false);
  group.column(weight(id(Part::kLastGain), "g", "output_norm.weight", 0, 1, 0, m.width, true));
  group.column(vector_of(id(Part::kLastNormed), "norm", "norm", 0, m.width, true));
  group.matrix(
      weight(id(Part::kUnembed), "W_U", "output.weight", 0, m.vocabulary, 0, m.width, true),
      {logits});
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
  const double floor = double{layout.node(element).center.y};
  return group.fit({{0.75, floor + 0.62, 0.1}, 8.0, 0.58}, Group::Align::kLeft);
}

std::optional<Sheet> find_sheet(const Layout& layout, const SheetId& id) {
  const trace::ModelRecord& m = layout.model();
  const bool storey = id.part < Part::kUnembed;
  if (storey && id.layer >= m.layers) return {};
  std::vector<Sheet> group;
  if (id.part <= Part::kHeadOut) {
    if (id.index >= m.heads) return {};
    group = head_sheets(layout, id.layer, id.index);
  } else if (id.part <= Part::kFfnOut) {
    group = ffn_sheets(layout, id.layer);
  } else if (id.part <= Part::kProbability) {
    group = router_sheets(layout, id.layer);
  } else if (id.part <= Part::kSharedGate) {
    if (id.index > layout.structure().experts) return {};
    group = expert_sheets(layout, id.layer, id.index);
  } else if (id.part <= Part::kValues) {
    if (id.index >= m.kv_heads) return {};
    group = lane_sheets(layout, id.layer, id.index);
  } else if (id.part < Part::kUnembed) {
    group = spine_sheets(layout, id.layer, id.part >= Part::kBetween);
  } else {
    group = id.part <= Part::kLogits ? crown_sheets(layout) : tape_sheets(layout);
  }
  for (Sheet& sheet : group) {
    if (sheet.id.part == id.part) return std::move(sheet);
  }
  return {};
}

std::string path(const Layout& layout, const CellRef& cell) {
  const std::optional<Sheet> sheet = find_sheet(layout, cell.sheet);
  if (!sheet) return {};
  std::string text = path_of_group(layout, *sheet) + " > " + sheet->title + " > ";
  if (sheet->grows) text += "position " + std::to_string(cell.row) + ", column ";
  if (sheet->stored && sheet->rows > 1) text += "row " + std::to_string(cell.row) + ", column ";
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
  // The update of the FFN stands beside its product and in the stream: it is found at the first.
  if (const auto found = search(ffn_sheets(layout, layer))) return found;
  for (uint32_t h = 0; h < m.heads; ++h) {
    if (const auto found = search(head_sheets(layout, layer, h))) return found;
  }
  for (uint32_t k = 0; k < m.kv_heads; ++k) {
    if (const auto found = search(lane_sheets(layout, layer, k))) return found;
  }
  for (const bool ffn : {false, true}) {
    if (const auto found = search(spine_sheets(layout, layer, ffn))) return found;
  }
  if (const auto found = search(router_sheets(layout, layer))) return found;
  for (uint32_t e = 0; is_mixture(layout, layer) && e <= layout.structure().experts; ++e) {
    if (const auto found = search(expert_sheets(layout, layer, e))) return found;
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
