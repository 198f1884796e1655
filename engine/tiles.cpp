#include "engine/tiles.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "model/arch/matrices.h"
#include "model/tap.h"

namespace engine {

namespace {

using Clock = std::chrono::steady_clock;
using model::Reduction;
using model::Region;

constexpr int kMipShift = 5;
// A region of at most so many cells is read directly: it takes a few milliseconds.
constexpr int64_t kDirectCells = int64_t{1} << 22;
// Cells between two looks at the clock.
constexpr int64_t kQuantum = 1 << 14;

Tile nothing(std::string why) {
  Tile tile;
  tile.formula = std::move(why);
  return tile;
}

// What was asked, cut down to a tensor of that shape. Empty sentence: it can be answered.
std::string cut(const InspectTile& what, int64_t rows, int64_t cols, Region& region) {
  if (what.first_row >= rows || what.first_col >= cols || what.rows == 0 || what.cols == 0) {
    return "there are no such rows and columns";
  }
  region = {what.first_row,
            what.first_col,
            std::min<int64_t>(what.rows, rows - what.first_row),
            std::min<int64_t>(what.cols, cols - what.first_col),
            what.row_shift,
            what.col_shift};
  if (what.row_shift > 31 || what.col_shift > 31 || region.texel_rows() > kMaxTileSide ||
      region.texel_cols() > kMaxTileSide) {
    return "a tile has at most " + std::to_string(kMaxTileSide) + " texels a side";
  }
  return {};
}

// Texels of 2^shift x 2^shift from those of a mip, of which so many rows are there.
Tile tile_of(const Region& region, const model::Texels& texels, int64_t texel_rows_done) {
  Tile tile;
  tile.rows = region.texel_rows();
  tile.cols = region.texel_cols();
  tile.read = static_cast<float>(texel_rows_done) / static_cast<float>(tile.rows);
  const auto n = static_cast<size_t>(tile.rows * tile.cols);
  const bool cells = region.row_shift == 0 && region.col_shift == 0;
  if (cells) {
    tile.mean = texels.min;
    return tile;
  }
  tile.min = texels.min;
  tile.max = texels.max;
  tile.mean.resize(n);
  for (int64_t r = 0; r < tile.rows; ++r) {
    for (int64_t c = 0; c < tile.cols; ++c) {
      const auto i = static_cast<size_t>(r * tile.cols + c);
      tile.mean[i] = static_cast<float>(texels.sum[i] / static_cast<double>(region.cells(r, c)));
    }
  }
  return tile;
}

bool aligned(int64_t first, int64_t count, int64_t full) {
  constexpr int64_t kMask = (int64_t{1} << kMipShift) - 1;
  return (first & kMask) == 0 && (((first + count) & kMask) == 0 || first + count == full);
}

// Rows of the region's texels whose cells the mip has read.
int64_t rows_ready(const Region& region, const Reduction& mip) {
  const int64_t rows =
      mip.finished()
          ? region.rows
          : std::clamp<int64_t>((mip.texel_rows_done() << kMipShift) - region.row, 0, region.rows);
  return rows == region.rows ? region.texel_rows() : rows >> region.row_shift;
}

// Coarser texels from those of the mip.
model::Texels gather(const Region& region, const Reduction& mip) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const int64_t rows = region.texel_rows();
  const int64_t cols = region.texel_cols();
  const int64_t ready = rows_ready(region, mip);
  const int64_t mip_cols = mip.region().texel_cols();
  const model::Texels& from = mip.texels();
  model::Texels to;
  to.min.assign(static_cast<size_t>(rows * cols), kNan);
  to.max = to.min;
  to.sum.assign(static_cast<size_t>(rows * cols), double{kNan});
  const auto end_of = [](int64_t first, int64_t count, int64_t i, int shift) {
    const int64_t end = first + std::min((i + 1) << shift, count);
    return (end + (int64_t{1} << kMipShift) - 1) >> kMipShift;
  };
  for (int64_t r = 0; r < ready; ++r) {
    const int64_t y0 = (region.row + (r << region.row_shift)) >> kMipShift;
    const int64_t y1 = end_of(region.row, region.rows, r, region.row_shift);
    for (int64_t c = 0; c < cols; ++c) {
      const int64_t x0 = (region.col + (c << region.col_shift)) >> kMipShift;
      const int64_t x1 = end_of(region.col, region.cols, c, region.col_shift);
      float low = std::numeric_limits<float>::infinity();
      float high = -low;
      double sum = 0.0;
      for (int64_t y = y0; y < y1; ++y) {
        for (int64_t x = x0; x < x1; ++x) {
          const auto i = static_cast<size_t>(y * mip_cols + x);
          // NaN where nothing is a number: it loses both comparisons.
          low = from.min[i] < low ? from.min[i] : low;
          high = from.max[i] > high ? from.max[i] : high;
          sum += from.sum[i];
        }
      }
      const auto i = static_cast<size_t>(r * cols + c);
      const bool any = low <= high;
      to.min[i] = any ? low : kNan;
      to.max[i] = any ? high : kNan;
      to.sum[i] = sum;
    }
  }
  return to;
}

}  // namespace

size_t TileReader::Mip::bytes() const noexcept {
  const Region& r = reduction.region();
  return static_cast<size_t>(r.texel_rows() * r.texel_cols()) * 16 +
         static_cast<size_t>(r.cols) * 16;
}

std::chrono::nanoseconds TileReader::work(std::chrono::nanoseconds budget, const Past& past,
                                          const Emit& emit) {
  const Instant begin = Clock::now();
  const Instant until = begin + budget;
  // In turn: a large matrix does not keep small tiles waiting.
  constexpr std::chrono::milliseconds kTurn{4};
  while (!jobs_.empty() && Clock::now() < until) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    try {
      if (!advance(job, std::min(until, Clock::now() + kTurn), past, emit))
        jobs_.push_back(std::move(job));
    } catch (const std::bad_alloc&) {
      emit(job.what, nothing("there is not enough memory for this tensor"));
    }
  }
  return Clock::now() - begin;
}

// True when the job is over.
bool TileReader::advance(Job& job, Instant until, const Past& past, const Emit& emit) {
  if (!job.begun) {
    job.begun = true;
    job.spoke = Clock::now();
  }
  const InspectTile& what = job.what;
  const model::Config& c = model_.network->config();
  if (const auto found = find_matrix(model_.file, c, what.name)) {
    const std::string unread = unsupported_type(found->tensor);
    if (!unread.empty()) {
      emit(what, nothing(unread));
      return true;
    }
    return stored(job, found->tensor, found->where, until, emit);
  }
  if (const auto place = find_cache(what.name, c.n_layer)) {
    return cached(job, place->keys, place->layer, past, until, emit);
  }
  tap(job, past, emit);
  return true;
}

TileReader::Mip& TileReader::mip_of(const std::string& name, const model::Tensor& tensor) {
  if (!mips_.contains(name)) {
    auto made = std::make_unique<Mip>(
        Mip{tensor, Reduction({0, 0, tensor.rows(), tensor.cols(), kMipShift, kMipShift})});
    mips_.emplace(name, std::move(made));
    size_t bytes = 0;
    for (const auto& [other, mip] : mips_) bytes += mip->bytes();
    while (bytes > kMipBytes && mips_.size() > 1) {
      auto oldest = mips_.end();
      for (auto it = mips_.begin(); it != mips_.end(); ++it) {
        if (it->first != name &&
            (oldest == mips_.end() || it->second->used < oldest->second->used)) {
          oldest = it;
        }
      }
      bytes -= oldest->second->bytes();
      mips_.erase(oldest);
    }
  }
  Mip& mip = *mips_.find(name)->second;
  mip.used = ++clock_;
  return mip;
}

bool TileReader::stored(Job& job, const model::Tensor& tensor, const std::string& where,
                        Instant until, const Emit& emit) {
  const InspectTile& what = job.what;
  Region region;
  const std::string wrong = cut(what, tensor.rows(), tensor.cols(), region);
  if (!wrong.empty()) {
    emit(what, nothing(wrong));
    return true;
  }
  const bool coarse = region.row_shift >= kMipShift && region.col_shift >= kMipShift &&
                      region.rows * region.cols > kDirectCells &&
                      aligned(region.row, region.rows, tensor.rows()) &&
                      aligned(region.col, region.cols, tensor.cols());
  Mip* mip = coarse ? &mip_of(what.name, tensor) : nullptr;
  if (!coarse && job.direct == nullptr) job.direct = std::make_unique<Reduction>(region);
  Reduction& reduction = coarse ? mip->reduction : *job.direct;
  const auto over = [&] {
    return coarse ? rows_ready(region, reduction) == region.texel_rows() : reduction.finished();
  };

  const Region& read = reduction.region();
  std::vector<float> row(static_cast<size_t>(read.cols + slack(tensor)));
  const int64_t rows_a_look = std::max<int64_t>(1, kQuantum / read.cols);
  while (!over()) {
    for (int64_t i = 0; i < rows_a_look && !reduction.finished(); ++i) {
      reduction.add_row(dequantize_part(tensor, read.row + reduction.rows_done(), read.col,
                                        read.cols, row.data()));
    }
    if (Clock::now() >= until) break;
  }
  const bool done = over();
  if (!done && Clock::now() - job.spoke < kPatience) return false;
  job.spoke = Clock::now();
  Tile tile = coarse ? tile_of(region, gather(region, reduction), rows_ready(region, reduction))
                     : tile_of(region, reduction.texels(), reduction.texel_rows_done());
  tile.full_rows = tensor.rows();
  tile.full_cols = tensor.cols();
  if (!done) tile.read = std::min(tile.read, 0.999F);
  tile.formula = "stored weight, " + model::dtype_name(tensor.dtype);
  if (!where.empty()) tile.formula += ", " + where;
  emit(what, tile);
  return done;
}

bool TileReader::cached(Job& job, bool keys, int64_t layer, const Past& past, Instant until,
                        const Emit& emit) {
  const InspectTile& what = job.what;
  const model::Config& c = model_.network->config();
  const int64_t d = keys ? c.head_dim : c.value_width();
  const int64_t rows = int64_t{what.position} + 1;
  Region region;
  std::string wrong = "this position has not been run yet";
  if (what.position < past.done) wrong = cut(what, rows, c.n_head_kv * d, region);
  if (!wrong.empty()) {
    emit(what, nothing(wrong));
    return true;
  }
  if (job.direct == nullptr) job.direct = std::make_unique<Reduction>(region);
  Reduction& reduction = *job.direct;
  // Whole lanes, of which the region may want a part.
  const int64_t first = region.col / d;
  const int64_t last = (region.col + region.cols - 1) / d;
  std::vector<float> row(static_cast<size_t>((last - first + 1) * d));
  const int64_t rows_a_look = std::max<int64_t>(1, kQuantum / std::ssize(row));
  while (!reduction.finished()) {
    for (int64_t i = 0; i < rows_a_look && !reduction.finished(); ++i) {
      const int64_t position = region.row + reduction.rows_done();
      for (int64_t lane = first; lane <= last; ++lane) {
        float* at = row.data() + (lane - first) * d;
        keys ? past.cache.load_k(layer, position, lane, at)
             : past.cache.load_v(layer, position, lane, at);
      }
      reduction.add_row(row.data() + region.col - first * d);
    }
    if (!reduction.finished() && Clock::now() >= until) return false;
  }
  Tile tile = tile_of(region, reduction.texels(), region.texel_rows());
  tile.full_rows = rows;
  tile.full_cols = c.n_head_kv * d;
  tile.formula = model::tap_formula({keys ? model::Tap::kK : model::Tap::kV, layer},
                                    model_.network->config()) +
                 ", as cached";
  emit(what, tile);
  return true;
}

// Runs the position again with every tap open that somebody waits for.
void TileReader::capture(const InspectTile& what, const Past& past) {
  std::vector<std::string> names;
  std::vector<model::TapPlace> places;
  const auto want = [&](const InspectTile& one) {
    const auto place = model::find_tap(one.name, model_.network->config().n_layer);
    if (!place || one.position != what.position) return;
    names.push_back(one.name);
    places.push_back(*place);
  };
  want(what);
  for (const Job& job : jobs_) want(job.what);
  std::vector<TapValues> values = run_again(model_, past, what.position, places);
  for (size_t i = 0; i < names.size(); ++i) captured_[names[i]] = std::move(values[i]);
}

void TileReader::tap(const Job& job, const Past& past, const Emit& emit) {
  const InspectTile& what = job.what;
  const auto place = model::find_tap(what.name, model_.network->config().n_layer);
  if (!place) return emit(what, nothing("there is no tensor of this name"));
  if (what.position >= past.done) return emit(what, nothing("this position has not been run yet"));
  if (what.position != captured_position_) captured_.clear();
  captured_position_ = what.position;
  if (captured_.find(what.name) == captured_.end()) capture(what, past);
  const TapValues& values = captured_.at(what.name);
  if (values.data.empty()) return emit(what, nothing("this model makes no such tensor"));
  Region region;
  const std::string wrong = cut(what, values.rows, values.cols, region);
  if (!wrong.empty()) return emit(what, nothing(wrong));
  Reduction reduction(region);
  for (int64_t r = 0; r < region.rows; ++r) {
    reduction.add_row(values.data.data() + (region.row + r) * values.cols + region.col);
  }
  Tile tile = tile_of(region, reduction.texels(), region.texel_rows());
  tile.full_rows = values.rows;
  tile.full_cols = values.cols;
  tile.formula = model::tap_formula(*place, model_.network->config());
  emit(what, tile);
}

}  // namespace engine
