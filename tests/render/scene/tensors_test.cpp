// Which tensors stand behind a node, and which of their values are its own.
#include "render/scene/tensors.h"

#include <gtest/gtest.h>

#include "tests/support/trace_builder.h"

namespace {

using scene::Kind;
using scene::TensorName;

const TensorName* find(const std::vector<TensorName>& names, const std::string& name) {
  for (const TensorName& one : names) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

// 60 neurons in 20 cells: cell 7 is of neurons 21 to 23.
TEST(TensorsOf, ANodeKnowsItsOwnValues) {
  const scene::Layout layout(tests::small_model());
  const auto cell = scene::tensors_of(layout, {Kind::kCell, 1, 7, 0}, -1, -1);
  ASSERT_NE(nullptr, find(cell, "blk.1.ffn.act"));
  EXPECT_EQ(21, find(cell, "blk.1.ffn.act")->own);
  EXPECT_EQ(-1, find(cell, "blk.1.ffn_down.weight")->own) << "all of it";
  const auto slot = scene::tensors_of(layout, {Kind::kSlot, 2, 1, 5}, -1, -1);
  ASSERT_NE(nullptr, find(slot, "blk.2.kv.v"));
  EXPECT_EQ(5, find(slot, "blk.2.kv.v")->own);
  EXPECT_EQ(1, find(slot, "blk.2.kv.v")->first_row) << "of KV head 1";
  const auto candidate = scene::tensors_of(layout, {Kind::kCandidate, 0, 2, 0}, -1, 33);
  ASSERT_NE(nullptr, find(candidate, "logits"));
  EXPECT_EQ(33, find(candidate, "logits")->own);
}

}  // namespace
