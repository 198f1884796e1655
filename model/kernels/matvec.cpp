#include "model/kernels/matvec.h"

#include <vector>

#include "model/kernels/dispatch.h"

namespace model {

FULGURITE_DECLARE_ISA(void matvec_grouped(const Tensor& w, const float* x, int64_t n_groups,
                                          float* partial, float* y, float* back) noexcept;)

void matvec_grouped(const Tensor& w, const float* x, int64_t n_groups, float* partial, float* y,
                    float* back) noexcept {
  static const auto kernel = FULGURITE_PICK(matvec_grouped);
  kernel(w, x, n_groups, partial, y, back);
}

void matvec(const Tensor& w, const float* x, float* y) noexcept {
  matvec_grouped(w, x, 1, nullptr, y, nullptr);
}

void matvec_reference(const Tensor& w, const float* x, float* y) noexcept {
  std::vector<float> row(static_cast<size_t>(w.cols()));
  for (int64_t i = 0; i < w.rows(); ++i) {
    dequantize_row(w, i, row.data());
    double sum = 0.0;
    for (int64_t c = 0; c < w.cols(); ++c)
      sum += double{row[static_cast<size_t>(c)]} * double{x[c]};
    y[i] = static_cast<float>(sum);
  }
}

}  // namespace model
