#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "model/kernels/matmul_rows.h"
#include "tests/model/kernels/random_matrix.h"
#include "tests/support/oracle.h"

namespace model {
namespace {

// Sums of products are kept in as few bits as hold the largest.
TEST(MatvecRows, EveryInstructionSetHoldsTheLargestProducts) {
  constexpr int64_t kRows = 16;
  constexpr int64_t kCols = 512;
  ThreadPool pool(1);
  for (const DType type : kEveryType) {
    if (!rounds_input(type)) continue;
    RandomMatrix m(type, kRows, kCols);
    for (const int byte : {0x00, 0x7F, 0x80, 0xFF}) {
      m.set_all(static_cast<std::byte>(byte));
      for (const float value : {1.0F, -1.0F}) {
        const std::vector<float> values(kCols, value);
        Input x;
        x.set(values.data(), 1, kCols, kCols, true, pool);
        const auto run = [&](auto* kernel) {
          std::vector<float> y(kRows);
          kernel({&m.linear(), &x, 0, y.data(), nullptr, nullptr}, {0, kRows});
          return y;
        };
        const std::vector<float> expected = run(&isa_base::matvec_rows);
        for (const auto& [isa, kernel] : {std::pair{Isa::kAvx2, &isa_avx2::matvec_rows},
                                          {Isa::kAvxVnni, &isa_avxvnni::matvec_rows},
                                          {Isa::kAvx512, &isa_avx512::matvec_rows}}) {
          if (!isa_available(isa)) continue;
          EXPECT_TRUE(tests::same_bits(expected, run(kernel)))
              << isa_name(isa) << " " << dtype_name(type) << " " << byte;
        }
      }
    }
  }
}

}  // namespace
}  // namespace model
