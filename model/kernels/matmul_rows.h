// What the driver (matmul.cpp) asks of the kernels: a range of rows against one row of x.
#pragma once

#include <cstdint>

#include "model/kernels/dispatch.h"
#include "model/kernels/matmul.h"

namespace model {

inline constexpr int64_t kBlocksInGroup = 8;
inline constexpr int64_t kGroupWidth = kBlockWidth * kBlocksInGroup;

inline int64_t groups_of(int64_t cols) noexcept {
  return (cols + kGroupWidth - 1) / kGroupWidth;
}

// Rows that are unpacked together to be multiplied with many positions.
inline constexpr int64_t kPanelRows = 16;

// What the gathers of one range of rows are added to, row by row, or in batches sixteen rows at a
// time. nullptr: not wanted. Padded to whole groups of eight blocks (256 columns), and blocks and
// chosen ones to a multiple of 16. Ranges begin at multiples of 16 rows.
struct GatherSums {
  float* blocks = nullptr;  // (blocks)  sum_i t_b u_i
  float* groups = nullptr;  // (groups)  the same of groups that are not whole blocks
  float* back = nullptr;    // (cols)
  float* chosen = nullptr;  // (n_chosen)
};

// True if every group is made of whole blocks, so that the blocks' terms are all it takes.
inline bool groups_are_blocks(const Gather& gather) noexcept {
  return gather.group_width % kBlockWidth == 0;
}

// Rows first <= r < last, and where what is gathered of them goes.
struct RowRange {
  int64_t first;
  int64_t last;
  GatherSums sums = {};
  // (last - first, blocks, padded to whole groups)  the rows' t_b, without a gather and of
  // matvec_two: of both ranges or of none.
  float* terms = nullptr;
};

// One position of x for some weights.
struct RowTask {
  const Linear* w;
  const Input* x;
  int64_t i;               // the position
  float* y;                // (rows)
  const Gather* gather;    // or nullptr
  const float* x_rounded;  // (cols) x~, where groups are not blocks
};

FULGURITE_DECLARE_ISA(
    // y[r] for the rows of the range; adds to the sums if there is a gather.
    void matvec_rows(const RowTask& task, const RowRange& range);
    // The same for two ranges, eight blocks of a row of each in turn: what is read of x is shared,
    // and a core reads two streams from memory a third faster than one, which waits for the address
    // of every new page. Sets without AVX-512 take one range after the other where back is wanted.
    // Each range has sums of its own.
    void matvec_two(const RowTask& task, const RowRange& a, const RowRange& b);
    // sums[b] += sum_r terms[r, b] u_r of what a range left, n terms a row, a multiple of 8.
    void add_terms_of_rows(const float* terms, int64_t rows, int64_t n, const float* u,
                           float* sums) noexcept;
    // sums[k] += sum_r W[r, columns[k]] u_r of sixteen columns; u of row `first` on. A column may
    // lie in a later matrix of w's type and shape, the first one rows cols columns on.
    void add_columns(const Tensor& w, const int32_t* columns, int64_t first, int64_t last,
                     const float* u, float* sums) noexcept;
    // back[c] += sum_r W[r, c] u_r for first <= r < last, u of row `first` on. back is padded to
    // whole groups.
    void back_rows(const Tensor& w, int64_t first, int64_t last, const float* u, float* back);
    // The weights of rows first <= r < last, (rows, cols).
    void spell_rows(const Tensor& w, int64_t first, int64_t last, float* out) noexcept;
    // y[i * ld + r] for all positions i and first <= r < last; false if this set or type has no
    // such kernel. gathers and sums: nullptr, or one for each position that wants no more than
    // the sums of blocks and of chosen columns. The same y to the last bit as matvec_rows.
    bool panel_rows(const Linear& w, const Input& x, int64_t first, int64_t last, float* y,
                    int64_t ld, const Gather* gathers, const GatherSums* sums);
    // The same for F32, F16 and BF16, on every set.
    void panel_floats(const Linear& w, const Input& x, int64_t first, int64_t last, float* y,
                      int64_t ld, const Gather* gathers, const GatherSums* sums);
    // Rounds one row of n <= 32 blocks * 32 values; see Input.
    void round_row(const float* x, int64_t cols, int64_t blocks, int8_t* q, float* d,
                   int32_t* sums) noexcept;
    // out[c] = d[c / 32] q[c] for c < cols.
    void rounded_row(const int8_t* q, const float* d, int64_t cols, float* out) noexcept;)

#if defined(__x86_64__)
// With AMX: where active_isa() is kAmx only.
namespace isa_avx512 {
// panel_rows by tiles, if x has them.
bool panel_tiles(const Linear& w, const Input& x, int64_t first, int64_t last, float* y, int64_t ld,
                 const Gather* gathers, const GatherSums* sums);
// Makes tile t of x; see Input::tiles.
void tile_input(const Input& x, int64_t t, int8_t* q, float* d, float* sums) noexcept;
}  // namespace isa_avx512
#endif

}  // namespace model
