#include "render/tensor_store.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace render {

namespace {

// Asked for at the same time: enough to keep the engine busy, few enough that what is wanted after
// a move of the camera need not wait for what was wanted before.
constexpr size_t kMostAsked = 12;
// Sheets whose facts are kept.
constexpr size_t kMostFacts = 20000;

constexpr size_t kTexels = size_t{scene::kTileTexels} * scene::kTileTexels;

// The value that one cell in a hundred exceeds, as far as the largest of every `cells` tell; of
// many cells the median of the largest, so that a few outliers do not darken all the others.
float full_colour(std::vector<float> largest, double cells) {
  if (largest.empty()) return 0.0F;
  const double share = std::clamp(std::pow(0.99, cells), 0.5, 0.99);
  const auto at = largest.begin() +
                  static_cast<std::ptrdiff_t>(share * static_cast<double>(largest.size() - 1));
  std::nth_element(largest.begin(), at, largest.end());
  return *at;
}

// tile: the whole sheet.
SheetFacts facts_of(const scene::Sheet& sheet, const trace::TileAnswer& answer) {
  SheetFacts facts;
  std::vector<float> magnitudes;
  double sum = 0.0;
  double cells = 0.0;
  facts.min = std::numeric_limits<float>::infinity();
  facts.max = -facts.min;
  const trace::TileRecord& r = *answer.record;
  const int64_t rows = std::min(sheet.rows, int64_t{r.full_rows} - sheet.first_row);
  for (uint32_t y = 0; y < r.rows; ++y) {
    for (uint32_t x = 0; x < r.cols; ++x) {
      const size_t i = size_t{y} * r.cols + x;
      if (!std::isfinite(answer.min[i]) || !std::isfinite(answer.max[i])) continue;
      facts.min = std::min(facts.min, answer.min[i]);
      facts.max = std::max(facts.max, answer.max[i]);
      magnitudes.push_back(std::max(std::abs(answer.min[i]), std::abs(answer.max[i])));
      // Texels at the end stand for fewer cells; rows may be missing that are still to come.
      const auto span = [](int64_t all, uint32_t shift, uint32_t texel) {
        const int64_t left = all - (int64_t{texel} << shift);
        return static_cast<double>(std::clamp<int64_t>(left, 1, int64_t{1} << shift));
      };
      const double n = span(rows, r.row_shift, y) * span(sheet.cols, r.col_shift, x);
      sum += n * double{answer.mean[i]};
      cells += n;
    }
  }
  if (magnitudes.empty()) facts.min = facts.max = 0.0F;
  if (cells > 0.0) facts.mean = static_cast<float>(sum / cells);
  const double cells_a_texel = std::ldexp(1.0, static_cast<int>(r.row_shift + r.col_shift));
  facts.scale = full_colour(std::move(magnitudes), cells_a_texel);
  if (!(facts.scale > 0.0F)) facts.scale = std::max({-facts.min, facts.max, 1e-30F});
  facts.read = r.read;
  facts.position = r.position;
  facts.formula = answer.formula;
  return facts;
}

}  // namespace

TensorStore::TensorStore(uint32_t slots) : cache_(slots), slots_(slots) {}

bool TensorStore::current(const Now& now, const scene::Sheet& sheet, uint32_t slot) const {
  const Slot& s = slots_[slot];
  return sheet.stored || (s.position == now.position && s.era == era_);
}

void TensorStore::update(const Now& now, const std::vector<scene::Sheet>& sheets,
                         const scene::Wanted& wanted) {
  cache_.begin_frame();
  backlog_ = false;
  if (!(era_ == era_of(now.reader))) {
    // Answers that were not fetched before it began are gone; positions are other ones.
    era_ = era_of(now.reader);
    asked_.clear();
    missing_.clear();
  }
  take(now.reader);
  if (now.control == nullptr) return;
  for (const scene::WantedTile& tile : wanted.keep) {
    const scene::Sheet& sheet = sheets[tile.sheet];
    const scene::TileKey key{sheet.id, tile.level, tile.at};
    const auto slot = cache_.use(key);
    if (slot && current(now, sheet, *slot)) continue;
    const auto gone = missing_.find(sheet.id);
    if (gone != missing_.end() && (sheet.stored || gone->second.position == now.position)) continue;
    if (!sheet.stored && now.position >= now.reader.positions()) continue;
    if (std::any_of(asked_.begin(), asked_.end(), [&](const Asked& a) { return a.key == key; }))
      continue;
    const scene::Pyramid pyramid(sheet);
    const scene::CellRange range = scene::range_of(pyramid, tile.level, tile.at);
    // Rows that are not there yet; a coarser tile shows that.
    if (sheet.grows && range.first.y > int64_t{now.position}) continue;
    if (asked_.size() >= kMostAsked) {
      backlog_ = true;
      continue;
    }
    const glm::ivec2 shift = pyramid.shift(tile.level);
    const bool t = sheet.transposed;
    const auto u32 = [](int64_t n) { return static_cast<uint32_t>(n); };
    engine::InspectTile what;
    what.request = next_request_;
    what.name = sheet.name;
    what.position = sheet.stored ? 0 : now.position;
    what.first_row = u32(sheet.first_row + (t ? range.first.x : range.first.y));
    what.first_col = u32(sheet.first_col + (t ? range.first.y : range.first.x));
    what.rows = u32(t ? range.last.x - range.first.x : range.last.y - range.first.y);
    what.cols = u32(t ? range.last.y - range.first.y : range.last.x - range.first.x);
    what.row_shift = static_cast<uint8_t>(t ? shift.x : shift.y);
    what.col_shift = static_cast<uint8_t>(t ? shift.y : shift.x);
    if (!now.control->post(what)) {
      backlog_ = true;
      return;
    }
    asked_.push_back({next_request_++, key, sheet, what.position});
  }
}

void TensorStore::take(const trace::Reader& reader) {
  for (size_t i = 0; i < asked_.size();) {
    const trace::TileAnswer* answer = reader.tile(asked_[i].request);
    if (answer == nullptr) {
      ++i;
      continue;
    }
    put(asked_[i], *answer);
    if (answer->record->read < 1.0F) {
      ++i;
    } else {
      asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

void TensorStore::put(const Asked& asked, const trace::TileAnswer& answer) {
  const trace::TileRecord& r = *answer.record;
  if (r.rows == 0) {
    missing_[asked.sheet.id] = {asked.position, std::string(answer.formula)};
    return;
  }
  missing_.erase(asked.sheet.id);
  const auto place = cache_.place(asked.key);
  if (!place) return;  // everything is in use: it is asked for again
  Slot& slot = slots_[*place];
  slot.position = r.position;
  slot.era = era_;
  slot.partial = r.read < 1.0F || asked.sheet.grows;
  slot.texels.assign(kTexels, glm::vec4(std::numeric_limits<float>::quiet_NaN()));
  const bool t = asked.sheet.transposed;
  const uint32_t across = std::min(t ? r.rows : r.cols, scene::kTileTexels);
  const uint32_t down = std::min(t ? r.cols : r.rows, scene::kTileTexels);
  for (uint32_t y = 0; y < down; ++y) {
    for (uint32_t x = 0; x < across; ++x) {
      const size_t i = t ? size_t{x} * r.cols + y : size_t{y} * r.cols + x;
      slot.texels[size_t{y} * scene::kTileTexels + x] = {answer.min[i], answer.mean[i],
                                                         answer.max[i], 0.0F};
    }
  }
  fresh_.push_back(*place);
  if (asked.key.level == scene::Pyramid(asked.sheet).levels - 1) {
    if (facts_.size() > kMostFacts) facts_.clear();
    facts_[asked.sheet.id] = facts_of(asked.sheet, answer);
  }
}

std::optional<TensorStore::Found> TensorStore::find(const scene::Sheet& sheet,
                                                    const scene::Pyramid& pyramid, int level,
                                                    glm::uvec2 at) const {
  for (;; ++level) {
    if (const auto slot = cache_.find({sheet.id, level, at})) {
      return Found{*slot, level, at, slots_[*slot].partial};
    }
    if (level + 1 >= pyramid.levels) return {};
    const glm::ivec2 step = pyramid.shift(level + 1) - pyramid.shift(level);
    at = {at.x >> step.x, at.y >> step.y};
  }
}

std::optional<float> TensorStore::value(const scene::Sheet& sheet,
                                        const scene::CellRef& cell) const {
  const glm::dvec2 place = scene::place(sheet, cell);
  const glm::uvec2 at(place);
  const auto slot = cache_.find({sheet.id, 0, at / scene::kTileTexels});
  if (!slot || (sheet.grows && cell.row > int64_t{slots_[*slot].position})) return {};
  const glm::uvec2 in = at % scene::kTileTexels;
  return slots_[*slot].texels[size_t{in.y} * scene::kTileTexels + in.x].y;
}

const SheetFacts* TensorStore::facts(const scene::SheetId& sheet) const {
  const auto found = facts_.find(sheet);
  return found == facts_.end() ? nullptr : &found->second;
}

const std::string* TensorStore::missing(const scene::Sheet& sheet) const {
  const auto found = missing_.find(sheet.id);
  return found == missing_.end() ? nullptr : &found->second.why;
}

}  // namespace render
