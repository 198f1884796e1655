// Levels of detail of tensors, read a little at a time between tokens: minimum, mean and maximum of
// rectangles of cells, straight from the mapped file for weights, from the cache for keys and
// values, from running the position again for taps.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/control.h"
#include "engine/loaded_model.h"
#include "engine/past.h"
#include "model/reduce.h"

namespace engine {

// The most texels that one InspectTile may ask for, a side.
inline constexpr uint32_t kMaxTileSide = 256;

struct Tile {
  int64_t rows = 0, cols = 0;         // texels; 0: nothing
  std::vector<float> min, mean, max;  // where a texel is one cell: only `mean`
  int64_t full_rows = 0, full_cols = 0;
  float read = 1.0F;    // share of the cells that were read
  std::string formula;  // or, when rows is 0, why there is nothing
};

// One thread: the one that runs the model.
class TileReader {
 public:
  using Emit = std::function<void(const InspectTile&, const Tile&)>;

  // Memory for the coarse levels of large matrices; the least recently used go first.
  static constexpr size_t kMipBytes = size_t{64} << 20;
  // A part of an answer is sent when it takes longer.
  static constexpr std::chrono::milliseconds kPatience{150};

  explicit TileReader(LoadedModel& model) : model_(model) {}

  void ask(InspectTile what) { jobs_.push_back({std::move(what), nullptr, {}, false}); }
  bool pending() const noexcept { return !jobs_.empty(); }
  // A new conversation: what was kept of positions is of no use.
  void forget_positions() { captured_.clear(); }

  // Works on what was asked for about so long (one re-run of a position can take longer) and hands
  // over what is done. Returns the time it took.
  std::chrono::nanoseconds work(std::chrono::nanoseconds budget, const Past& past,
                                const Emit& emit);

 private:
  using Instant = std::chrono::steady_clock::time_point;
  // Coarse level of a whole matrix: texels of 32 x 32 cells.
  struct Mip {
    model::Tensor tensor;
    model::Reduction reduction;
    uint64_t used = 0;
    size_t bytes() const noexcept;
  };
  struct Job {
    InspectTile what;
    std::unique_ptr<model::Reduction> direct;
    Instant spoke;  // when the last part was sent, or the job began
    bool begun;
  };

  bool advance(Job& job, Instant until, const Past& past, const Emit& emit);
  bool stored(Job& job, const model::Tensor& tensor, const std::string& where, Instant until,
              const Emit& emit);
  // Keys or values of a layer: (positions up to the asked one, K * D).
  bool cached(Job& job, bool keys, int64_t layer, const Past& past, Instant until,
              const Emit& emit);
  void tap(const Job& job, const Past& past, const Emit& emit);
  void capture(const InspectTile& what, const Past& past);
  Mip& mip_of(const std::string& name, const model::Tensor& tensor);

  LoadedModel& model_;
  std::deque<Job> jobs_;
  std::map<std::string, std::unique_ptr<Mip>, std::less<>> mips_;
  uint64_t clock_ = 0;
  // Taps of the position that was run again last.
  uint32_t captured_position_ = 0;
  std::map<std::string, TapValues, std::less<>> captured_;
};

}  // namespace engine
