#include "model/train/muon.h"

#include <gtest/gtest.h>

#include <Eigen/SVD>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/train/random.h"

namespace model::train {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

RowMajor random_matrix(int64_t rows, int64_t cols) {
  RowMajor x(rows, cols);
  for (int64_t i = 0; i < x.size(); ++i) x.data()[i] = normal(mix(3, static_cast<uint64_t>(i)));
  return x;
}

TEST(Muon, SingularValuesComeNearOneAndDirectionsStay) {
  for (const auto& [rows, cols] : {std::pair{24, 24}, std::pair{12, 40}, std::pair{40, 12}}) {
    const RowMajor before = random_matrix(rows, cols);
    RowMajor x = before;
    std::vector<float> scratch;
    orthogonalise(x.data(), rows, cols, scratch);
    const Eigen::JacobiSVD<RowMajor> svd(before, Eigen::ComputeThinU | Eigen::ComputeThinV);
    // In the basis of the old singular vectors the result is diagonal, with values near 1.
    const RowMajor d = svd.matrixU().transpose() * x * svd.matrixV();
    for (int64_t i = 0; i < d.rows(); ++i) {
      for (int64_t j = 0; j < d.cols(); ++j) {
        if (i != j) {
          EXPECT_NEAR(d(i, j), 0.0F, 1e-3F);
        } else if (svd.singularValues()(i) > 0.02F * svd.singularValues().norm()) {
          EXPECT_GT(d(i, i), 0.6F);
          EXPECT_LT(d(i, i), 1.25F);
        }
      }
    }
  }
}

TEST(Muon, StepIsMomentumThenDecay) {
  constexpr int64_t kSide = 8;
  RowMajor w = RowMajor::Ones(kSide, kSide);
  RowMajor g = random_matrix(kSide, kSide);
  RowMajor m = RowMajor::Zero(kSide, kSide);
  const RowMajor gradient = g;
  std::vector<float> scratch;
  muon(w.data(), g.data(), m.data(), kSide, kSide, 0.1F, 0.9F, 0.5F, 2.0F, scratch);
  EXPECT_LT((m - 2.0F * gradient).cwiseAbs().maxCoeff(), 1e-5F);
  RowMajor direction = gradient;
  orthogonalise(direction.data(), kSide, kSide, scratch);
  const RowMajor expected =
      RowMajor::Constant(kSide, kSide, 0.95F) - 0.1F * 0.2F * std::sqrt(8.0F) * direction;
  EXPECT_LT((w - expected).cwiseAbs().maxCoeff(), 1e-4F);
}

}  // namespace
}  // namespace model::train
