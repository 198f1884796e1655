#include "model/kernels/matmul.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/error.h"
#include "model/kernels/gemm.h"
#include "model/kernels/matmul_rows.h"
#include "model/kernels/ops.h"
#include "model/kernels/slab_claims.h"

namespace model {
namespace {

// Rows are cut into as many slabs as this whatever the number of threads.
constexpr int64_t kSlabs = 32;
// Sums of whole rows are long and take sixteen rows at a time: half as many.
constexpr int64_t kSlabsBack = 16;
// Slabs of many positions begin and end with the sums of all of them: three panels each or more, as
// long as there are half as many.
int64_t panel_slabs(int64_t rows) noexcept {
  return std::clamp(rows / (3 * kPanelRows) / 4 * 4, kSlabs / 2, kSlabs);
}

// Each half of the rows is read at two places at once: a slab of its first half and one of its
// second half are a pair, which is a thread's, and with the next pair both go on where they were in
// memory. Two threads have a half each, so that most often what follows finds its part of y with
// the core that made it. What is gathered is added up in each pair, then over the pairs in order.
std::array<int64_t, 2> pair_of_slabs(int64_t pair, int64_t slabs) noexcept {
  const int64_t quarter = slabs / 4;
  const int64_t first = pair < quarter ? pair : pair + quarter;
  return {first, first + quarter};
}

// Without gathers the slabs are smaller, so that whoever is ready first waits for less.
int64_t plain_slabs(int64_t rows) noexcept {
  constexpr int64_t kRows = 12;
  return std::clamp(rows / kRows / 4 * 4, kSlabs, 2 * kMostPairs);
}

// A multiple of the unit, for the sums of gathers 16 rows.
int64_t slab_begin(int64_t rows, int64_t slab, int64_t slabs, int64_t unit = kPanelRows) noexcept {
  const int64_t units = (rows + unit - 1) / unit;
  return std::min(units * slab / slabs * unit, rows);
}

// Memory for the sums of all pairs of slabs of one position, laid out one after the other; each
// slab has sums of its own, so that it does not matter which of a pair comes first.
class SlabSums {
 public:
  SlabSums(const Gather& gather, int64_t cols, int64_t slabs) : pairs_(slabs / 2) {
    const bool groups = gather.group_width > 0 && gather.group_dot != nullptr;
    if (groups && groups_are_blocks(gather)) blocks_ = groups_of(cols) * kBlocksInGroup;
    if (groups && !groups_are_blocks(gather)) {
      groups_ = (cols + gather.group_width - 1) / gather.group_width;
    }
    if (gather.back != nullptr) back_ = groups_of(cols) * kGroupWidth;
    cols_ = cols;
    if (gather.chosen_dot != nullptr) chosen_ = gather.n_chosen;
  }

  int64_t floats() const noexcept { return pairs_ * stride(); }
  void place(float* memory) noexcept { begin_ = memory; }

  void clear(int64_t pair) const noexcept { std::fill_n(begin_ + pair * stride(), stride(), 0.0F); }

  // Of the first or the second slab of a pair.
  GatherSums of(int64_t pair, int second) const noexcept {
    float* at = begin_ + pair * stride() + second * width();
    GatherSums sums;
    if (back_ > 0) sums.back = at;
    if (blocks_ > 0) sums.blocks = at + back_;
    if (groups_ > 0) sums.groups = at + back_ + lines(blocks_);
    if (chosen_ > 0) sums.chosen = at + back_ + lines(blocks_) + lines(groups_);
    return sums;
  }

  void add_slabs_of(int64_t pair) const noexcept {
    float* first = begin_ + pair * stride();
    add(first + width(), first, 0, width());
  }

  // Adds the pairs in order and hands out.
  void finish(const Gather& gather) const noexcept {
    add_pairs(0, width());
    hand_out(gather);
  }
  // The same, shared over the pool if it is long.
  void finish(const Gather& gather, ThreadPool& pool) const {
    if (width() < 4096) return finish(gather);
    pool.run([&](int thread) {
      const auto [first, last] = ThreadPool::share(width() / kLine, thread, pool.size());
      add_pairs(first * kLine, last * kLine);
    });
    hand_out(gather);
  }

 private:
  void hand_out(const Gather& gather) const noexcept {
    const GatherSums sums = of(0, 0);
    if (sums.blocks != nullptr) {
      const int64_t per_group = gather.group_width / kBlockWidth;
      for (int64_t b = 0; b * kBlockWidth < cols_; ++b) {
        float& group = gather.group_dot[b / per_group];
        group = b % per_group == 0 ? sums.blocks[b] : group + sums.blocks[b];
      }
    }
    if (sums.groups != nullptr) std::copy_n(sums.groups, groups_, gather.group_dot);
    if (sums.back != nullptr) std::copy_n(sums.back, cols_, gather.back);
    if (sums.chosen != nullptr) std::copy_n(sums.chosen, chosen_, gather.chosen_dot);
  }

  void add_pairs(int64_t first, int64_t last) const noexcept {
    for (int64_t i = 1; i < pairs_; ++i) add(begin_ + i * stride(), begin_, first, last);
  }
  static void add(const float* from, float* to, int64_t first, int64_t last) noexcept {
    for (int64_t k = first; k < last; ++k) to[k] += from[k];
  }

  // Every part begins a cache line: vectors across two lines cost twice.
  static constexpr int64_t kLine = 16;  // floats
  static int64_t lines(int64_t n) noexcept { return (n + kLine - 1) / kLine * kLine; }
  // Floats of a slab; of a pair.
  int64_t width() const noexcept {
    return back_ + lines(blocks_) + lines(groups_) + lines(chosen_);
  }
  int64_t stride() const noexcept { return 2 * width(); }

  int64_t pairs_;
  float* begin_ = nullptr;
  int64_t blocks_ = 0, groups_ = 0, back_ = 0, chosen_ = 0, cols_ = 0;
};

// Rows that are read from memory once and then stay in the cache for all positions.
constexpr int64_t kChunkBytes = int64_t{256} << 10;
constexpr int64_t kPanelPositions = 4;  // fewer do not pay for unpacking

int64_t chunk_rows(const Tensor& w) noexcept {
  const auto row_bytes = static_cast<int64_t>(w.row_bytes());
  return std::max<int64_t>(1, kChunkBytes / (row_bytes * kPanelRows)) * kPanelRows;
}

// Work that is done before the others have woken up is done alone.
constexpr int64_t kSmall = int64_t{32} << 10;  // bytes

template <class Task>
void run_if_worth(int64_t bytes, ThreadPool& pool, const Task& task) {
  bytes < kSmall ? task(0) : pool.run(std::ref(task));
}

// Panels give the sums of blocks and of chosen columns.
bool fits_panels(const Input& x, const Gather* gathers) noexcept {
  if (gathers == nullptr || x.n() < kPanelPositions) return false;
  return std::all_of(gathers, gathers + x.n(), [&](const Gather& g) {
    return g.back == nullptr && g.group_out == nullptr && groups_are_blocks(g) &&
           g.row_gain == gathers->row_gain && (g.u == nullptr) == (gathers->u == nullptr);
  });
}

auto* panel_kernel() noexcept {
#if defined(__x86_64__)
  if (active_isa() == Isa::kAmx) return &isa_avx512::panel_tiles;
#endif
  return FULGURITE_PICK(panel_rows);
}

// A few positions at once, slab by slab; gathers: one for each, or nullptr.
class SlabRun {
 public:
  static constexpr int64_t kPositions = 8;

  SlabRun(const Linear& w, const Input& x, int64_t i, int64_t n, float* y, int64_t ld,
          const Gather* gathers)
      : w_(w), gathers_(gathers), ld_(ld), panels_(n == x.n() && fits_panels(x, gathers)) {
    static thread_local std::vector<float> memory;
    static thread_local std::vector<float> rounded;
    if (gathers != nullptr && !panels_) {
      rounded.resize(std::max(rounded.size(), static_cast<size_t>(n * x.cols())));
    }
    int64_t floats = 0;
    if (gathers == nullptr) slabs_ = plain_slabs(w.weight.rows());
    if (panels_) slabs_ = panel_slabs(w.weight.rows());
    for (int64_t p = 0; p < n && gathers != nullptr; ++p) {
      if (gathers[p].back != nullptr) slabs_ = kSlabsBack;
    }
    for (int64_t p = 0; p < n; ++p) {
      const Gather* gather = gathers != nullptr ? gathers + p : nullptr;
      const float* x_rounded = x.row(i + p);
      if (gather != nullptr && !groups_are_blocks(*gather) && rounds_input(w.weight.dtype)) {
        x.rounded(i + p, rounded.data() + p * x.cols());
        x_rounded = rounded.data() + p * x.cols();
      }
      tasks_.push_back({&w, &x, i + p, y + (i + p) * ld, gather, x_rounded});
      sums_.emplace_back(gather != nullptr ? *gather : Gather{}, x.cols(), slabs_);
      floats += sums_.back().floats();
    }
    constexpr size_t kLine = 16;
    memory.resize(std::max(memory.size(), static_cast<size_t>(floats) + kLine));
    void* begin = memory.data();
    size_t space = memory.size() * sizeof(float);
    auto* at = static_cast<float*>(std::align(64, sizeof(float), begin, space));
    for (SlabSums& sums : sums_) {
      sums.place(at);
      at += sums.floats();
    }
  }

  void run(ThreadPool& pool) {
    run_all({this, 1}, pool);
    if (gathers_ == nullptr) return;
    if (!panels_) {
      for (size_t p = 0; p < tasks_.size(); ++p) sums_[p].finish(gathers_[p], pool);
      return;
    }
    int64_t bytes = 0;
    for (const SlabSums& sums : sums_) bytes += sums.floats() * int64_t{sizeof(float)};
    const int parts = bytes < kSmall ? 1 : pool.size();
    run_if_worth(bytes, pool, [&](int part) {
      const auto [first, last] = ThreadPool::share(std::ssize(sums_), part, parts);
      for (int64_t p = first; p < last; ++p) sums_[static_cast<size_t>(p)].finish(gathers_[p]);
    });
  }

  // Without finishing what is gathered.
  static void run_all(std::span<const SlabRun> runs, ThreadPool& pool) {
    int64_t bytes = 0;
    for (const SlabRun& run : runs) {
      bytes += static_cast<int64_t>(run.w_.weight.bytes() * run.tasks_.size());
    }
    if (runs.front().gathers_ == nullptr && bytes < kSmall) {
      for (const SlabRun& run : runs) run.alone();
      return;
    }
    const Linear* next = runs.back().w_.next;
    if (next != nullptr) pool.read_ahead({next->weight.data, next->weight.bytes()});
    // A share is one of each run's pairs.
    SlabClaims claims(pool.size(), [&](int share, int shares) {
      int64_t pairs = 0;
      for (const SlabRun& run : runs) {
        const auto [begin, end] = ThreadPool::share(run.slabs_ / 2, share, shares);
        pairs += end - begin;
      }
      return pairs;
    });
    run_if_worth(bytes, pool, [&](int thread) {
      claims.take_all(thread, [&](int share, int shares, int64_t first, int64_t last) {
        for (const SlabRun& run : runs) {
          const auto [begin, end] = ThreadPool::share(run.slabs_ / 2, share, shares);
          const int64_t own = end - begin;
          if (first < std::min(last, own)) run.pairs(begin + first, begin + std::min(last, own));
          first = std::max<int64_t>(first - own, 0);
          last = std::max<int64_t>(last - own, 0);
        }
      });
    });
  }

 private:
  void alone() const {
    static const auto kernel = FULGURITE_PICK(matvec_rows);
    for (const RowTask& task : tasks_) kernel(task, {0, w_.weight.rows()});
  }

  // Of slabs first <= s < last.
  RowRange range(int64_t first, int64_t last, const GatherSums& sums) const noexcept {
    const int64_t rows = w_.weight.rows();
    const int64_t unit = gathers_ != nullptr ? kPanelRows : 1;
    return {slab_begin(rows, first, slabs_, unit), slab_begin(rows, last, slabs_, unit), sums};
  }

  // Pairs first <= i < last: together, unless they have sums of their own.
  void pairs(int64_t first, int64_t last) const {
    if (gathers_ == nullptr) return two_ranges(first, last);
    for (int64_t i = first; i < last; ++i) {
      for (const SlabSums& sums : sums_) sums.clear(i);
      rows_of_pair(i);
      for (const SlabSums& sums : sums_) sums.add_slabs_of(i);
    }
  }

  void two_ranges(int64_t first, int64_t last) const {
    static const auto kernel = FULGURITE_PICK(matvec_two);
    const SlabSums& sums = sums_.front();
    while (first < last) {
      const int64_t half = slabs_ / 4;
      const int64_t end = first < half ? std::min(last, half) : last;
      const auto [a, b] = pair_of_slabs(first, slabs_);
      kernel(tasks_.front(), range(a, a + end - first, sums.of(first, 0)),
             range(b, b + end - first, sums.of(first, 1)));
      first = end;
    }
  }

  void rows_of_pair(int64_t i) const {
    static const auto kernel = FULGURITE_PICK(matvec_rows);
    if (!panels_ && tasks_.size() == 1) return two_ranges(i, i + 1);
    const int64_t chunk = chunk_rows(w_.weight);
    for (const int second : {0, 1}) {
      std::vector<GatherSums> sums;
      for (const SlabSums& of_position : sums_) sums.push_back(of_position.of(i, second));
      const int64_t slab = pair_of_slabs(i, slabs_)[second];
      const RowRange whole = range(slab, slab + 1, sums.front());
      if (whole.first == whole.last) continue;
      if (by_panels(whole, sums)) continue;
      for (int64_t r = whole.first; r < whole.last; r += chunk) {
        for (size_t p = 0; p < tasks_.size(); ++p) {
          kernel(tasks_[p], {r, std::min(r + chunk, whole.last), sums[p]});
        }
      }
    }
  }

  // All positions of x together, if they are many and want no more than panels can give.
  bool by_panels(const RowRange& rows, const std::vector<GatherSums>& sums) const {
    static auto* const kernel = panel_kernel();
    const Input& x = *tasks_.front().x;
    if (!panels_) return false;
    if (!rounds_input(w_.weight.dtype)) {
      static const auto floats = FULGURITE_PICK(panel_floats);
      floats(w_, x, rows.first, rows.last, tasks_.front().y, ld_, gathers_, sums.data());
      return true;
    }
    return kernel(w_, x, rows.first, rows.last, tasks_.front().y, ld_, gathers_, sums.data());
  }

  const Linear& w_;
  const Gather* gathers_;
  int64_t ld_;
  int64_t slabs_ = kSlabs;
  bool panels_;
  std::vector<RowTask> tasks_;
  std::vector<SlabSums> sums_;
};

// All positions, without gathers.
void many_positions(const Linear& w, const Input& x, float* y, int64_t ld, ThreadPool& pool) {
  static auto* const panel = panel_kernel();
  static const auto floats = FULGURITE_PICK(panel_floats);
  static const auto rows = FULGURITE_PICK(matvec_rows);
  const int64_t n_rows = w.weight.rows();
  const int64_t fair = (n_rows / (4 * pool.size()) + kPanelRows) / kPanelRows * kPanelRows;
  // While a panel is multiplied the next of its chunk is fetched.
  const int64_t chunk = std::min(std::max(chunk_rows(w.weight), 4 * kPanelRows), fair);
  std::atomic<int64_t> next{0};
  run_if_worth(static_cast<int64_t>(w.weight.bytes()) * x.n(), pool, [&](int) {
    for (int64_t r = (next += chunk) - chunk; r < n_rows; r = (next += chunk) - chunk) {
      const int64_t last = std::min(r + chunk, n_rows);
      if (x.n() >= kPanelPositions) {
        if (!rounds_input(w.weight.dtype)) {
          floats(w, x, r, last, y, ld, nullptr, nullptr);
          continue;
        }
        if (panel(w, x, r, last, y, ld, nullptr, nullptr)) continue;
      }
      for (int64_t i = 0; i < x.n(); ++i) {
        rows({&w, &x, i, y + i * ld, nullptr, nullptr}, {r, last});
      }
    }
  });
}

// Product k with row k * step of x.
void rows_of(std::span<const Product> products, const Input& x, int64_t step, ThreadPool& pool) {
  constexpr size_t kMost = 256;  // whose slabs SlabClaims can count
  std::vector<SlabRun> runs;
  runs.reserve(std::min(products.size(), kMost));
  int64_t row = 0;
  for (; !products.empty(); products = products.subspan(runs.size())) {
    runs.clear();
    for (const Product& p : products.first(std::min(products.size(), kMost))) {
      CHECK(p.w->weight.cols() == x.cols());
      runs.emplace_back(*p.w, x, row, 1, p.y, 0, nullptr);
      row += step;
    }
    SlabRun::run_all(runs, pool);
  }
}

}  // namespace

void matmul(const Linear& w, const Input& x, float* y, int64_t ld, const Gather* gathers,
            ThreadPool& pool) {
  CHECK(w.weight.cols() == x.cols());
  if (x.n() > 1 && gathers == nullptr) return many_positions(w, x, y, ld, pool);
  const int64_t step = fits_panels(x, gathers) ? x.n() : SlabRun::kPositions;
  for (int64_t i = 0; i < x.n(); i += step) {
    const int64_t n = std::min(step, x.n() - i);
    SlabRun(w, x, i, n, y, ld, gathers != nullptr ? gathers + i : nullptr).run(pool);
  }
}

void matmul(std::span<const Product> products, const Input& x, ThreadPool& pool) {
  if (x.n() > 1) {
    for (const Product& p : products) matmul(*p.w, x, p.y, p.ld, nullptr, pool);
    return;
  }
  rows_of(products, x, 0, pool);
}

void matmul_each(std::span<const Product> products, const Input& x, ThreadPool& pool) {
  CHECK(std::ssize(products) == x.n());
  rows_of(products, x, 1, pool);
}

void matmul_back(const Tensor& w, const float* u, float* back, ThreadPool& pool) {
  Gather gather;
  gather.back = back;
  SlabSums sums(gather, w.cols(), kSlabsBack);
  std::vector<float> memory(static_cast<size_t>(sums.floats()));
  sums.place(memory.data());
  std::atomic<int64_t> next{0};
  static const auto kernel = FULGURITE_PICK(back_rows);
  run_if_worth(static_cast<int64_t>(w.bytes()), pool, [&](int) {
    for (int64_t i = next++; i < kSlabsBack / 2; i = next++) {
      for (const int second : {0, 1}) {
        const int64_t s = pair_of_slabs(i, kSlabsBack)[second];
        const int64_t first = slab_begin(w.rows(), s, kSlabsBack);
        kernel(w, first, slab_begin(w.rows(), s + 1, kSlabsBack), u + first,
               sums.of(i, second).back);
      }
      sums.add_slabs_of(i);
    }
  });
  sums.finish(gather, pool);
}

void matmul_back(const Tensor& w, const float* u, int64_t n, float* back, ThreadPool& pool) {
  // Cut in the same way for any number of threads, as gemm() asks for the same bits.
  constexpr int64_t kRows = 64;
  constexpr int64_t kColumns = 512;
  static const auto kernel = FULGURITE_PICK(spell_rows);
  const int64_t cols = w.cols();
  const int64_t parts = (cols + kColumns - 1) / kColumns;
  std::vector<float> block(static_cast<size_t>(kRows * cols));
  for (int64_t r = 0; r < w.rows(); r += kRows) {
    const int64_t rows = std::min(kRows, w.rows() - r);
    pool.run([&](int thread) {
      const auto [first, last] = ThreadPool::share(rows, thread, pool.size());
      kernel(w, r + first, r + last, block.data() + first * cols);
    });
    pool.run([&](int thread) {
      const auto [first, last] = ThreadPool::share(parts, thread, pool.size());
      for (int64_t c = first * kColumns; c < std::min(last * kColumns, cols); c += kColumns) {
        gemm(Op::kNone, Op::kNone, n, std::min(kColumns, cols - c), rows, 1.0F, u + r, w.rows(),
             block.data() + c, cols, r == 0 ? 0.0F : 1.0F, back + c, cols);
      }
    });
  }
}

void matmul_back_each(std::span<const Linear> w, const float* u, int64_t u_step, int64_t n,
                      float* back, int64_t back_step, ThreadPool& pool) {
  static const auto spell = FULGURITE_PICK(spell_rows);
  const int64_t matrices = std::ssize(w);
  pool.run([&](int thread) {
    std::vector<float> row(static_cast<size_t>(w.front().weight.cols()));
    const auto [begin, end] = ThreadPool::share(matrices, thread, pool.size());
    for (int64_t k = begin; k < end; ++k) {
      const Tensor& matrix = w[static_cast<size_t>(k)].weight;
      const auto back_of = [&](int64_t i) { return back + (i * matrices + k) * back_step; };
      for (int64_t i = 0; i < n; ++i) std::fill_n(back_of(i), matrix.cols(), 0.0F);
      for (int64_t r = 0; r < matrix.rows(); ++r) {
        spell(matrix, r, r + 1, row.data());
        for (int64_t i = 0; i < n; ++i)
          add_scaled(row.data(), matrix.cols(), u[(i * matrices + k) * u_step + r], back_of(i));
      }
    }
  });
}

}  // namespace model
