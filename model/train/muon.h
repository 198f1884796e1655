// Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): the step of a weight matrix is its
// momentum with all singular values brought near 1, so that no direction of it is neglected.
#pragma once

#include <cstdint>
#include <vector>

namespace model::train {

// x (rows, cols) becomes about U V^T of its singular value decomposition U S V^T, in place, by five
// steps of the Newton-Schulz iteration X <- a X + (b A + c A^2) X, A = X X^T (of the smaller side).
// The values end between about 0.7 and 1.2. Resizes scratch.
void orthogonalise(float* x, int64_t rows, int64_t cols, std::vector<float>& scratch);

// One step for one matrix; momentum (rows, cols) is updated and gradient is overwritten:
//   m = mu m + g;  o = orthogonalise(g + mu m);  w -= lr (0.2 sqrt(max(rows, cols)) o + decay w)
// The factor makes the root mean square of a step that of AdamW (Liu et al. 2025,
// arXiv:2502.16982, section 2.2), so that both share one learning rate.
void muon(float* w, float* gradient, float* momentum, int64_t rows, int64_t cols, float lr,
          float mu, float decay, float gradient_scale, std::vector<float>& scratch);

}  // namespace model::train
