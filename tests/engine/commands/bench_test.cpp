#include "engine/commands/bench.h"

#include <gtest/gtest.h>

#include <vector>

#include "model/format/gguf.h"
#include "tests/support/data.h"

namespace {

using model::DType;

// Four experts of which two work, in one tensor or in tensors of their own.
uint64_t bytes_per_token(bool stacked) {
  const tests::TempFolder folder;
  model::GgufWriter writer;
  writer.add("general.architecture", std::string("mixtral"));
  writer.add("mixtral.expert_count", uint64_t{4});
  writer.add("mixtral.expert_used_count", uint64_t{2});
  const std::vector<float> values(4 * 8 * 32);
  writer.add_tensor("token_embd.weight", 4, 32, DType::kF32, values.data());
  writer.add_tensor("output.weight", 4, 32, DType::kF32, values.data());
  if (stacked) {
    writer.add_tensor("blk.0.ffn_up_exps.weight", 4 * 8, 32, DType::kF32, values.data());
  } else {
    for (const char* e : {"0", "1", "2", "3"}) {
      writer.add_tensor("blk.0.ffn_up." + std::string(e) + ".weight", 8, 32, DType::kF32,
                        values.data());
    }
  }
  writer.write(folder.file("model.gguf"));
  return engine::commands::weight_bytes_per_token(model::open_gguf(folder.file("model.gguf")));
}

TEST(Bench, CountsOneRowOfTheEmbeddingAndTheExpertsThatWork) {
  constexpr uint64_t kRow = 32 * 4;
  EXPECT_EQ(bytes_per_token(true), kRow + 4 * kRow + 2 * 8 * kRow);
  EXPECT_EQ(bytes_per_token(false), bytes_per_token(true));
}

}  // namespace
