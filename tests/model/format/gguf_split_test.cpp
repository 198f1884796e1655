// Models in several files, as llama.cpp's gguf-split writes them.
#include <gtest/gtest.h>

#include <fstream>

#include "model/error.h"
#include "model/format/open.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using fulgurite::Error;
using tests::GgufBytes;
using tests::le;

// The small model in three parts: metadata and one tensor, half of the rest each.
class GgufSplit : public ::testing::Test {
 protected:
  void SetUp() override {
    const GgufBytes whole = tests::small_llama();
    parts_[0] = whole;
    parts_[0].tensors.clear();
    for (size_t i = 0; i < whole.tensors.size(); ++i) {
      const GgufBytes::Info& t = whole.tensors[i];
      parts_[i == 0 ? 0 : 1 + i % 2].tensor(t.name, t.ne, t.type);
    }
    parts_[1].tensors[0].data = le(3.0F) + parts_[1].tensors[0].data.substr(4);
    for (uint16_t i = 0; i < 3; ++i) {
      parts_[i].raw("split.no", 2, le(i)).raw("split.count", 2, le<uint16_t>(3));
      parts_[i].i32("split.tensors.count", static_cast<int32_t>(whole.tensors.size()));
      write(i);
    }
  }
  std::string path(int i) const {
    return folder_.file("m-0000" + std::to_string(i + 1) + "-of-00003.gguf");
  }
  void write(int i) {
    std::ofstream(path(i), std::ios::binary) << parts_[static_cast<size_t>(i)].build();
  }
  static std::string refusal(const std::string& path) {
    try {
      model::open_model(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "(accepted)";
  }

  tests::TempFolder folder_;
  std::array<GgufBytes, 3> parts_;
};

TEST_F(GgufSplit, TheFirstPartOpensAll) {
  const model::ModelFile file = model::open_model(path(0));
  EXPECT_TRUE(model::find_problems(file).empty());
  EXPECT_EQ(tests::small_llama().tensors.size(), file.tensors().size());
  const model::Tensor* moved = file.find_tensor(parts_[1].tensors[0].name);
  std::vector<float> row(static_cast<size_t>(moved->cols()));
  model::dequantize_row(*moved, 0, row.data());
  EXPECT_EQ(3.0F, row[0]);
  uint64_t bytes = 0;
  for (int i = 0; i < 3; ++i) bytes += std::filesystem::file_size(path(i));
  EXPECT_EQ(bytes, file.file_bytes());
}

TEST_F(GgufSplit, AnotherPartNamesTheFirst) {
  EXPECT_CONTAINS(refusal(path(1)), "is part 2 of 3", "open the first: " + path(0));
}

TEST_F(GgufSplit, AMissingPartIsNamed) {
  std::filesystem::remove(path(2));
  EXPECT_CONTAINS(refusal(path(0)), "part 3 of", "is missing beside it", path(2));
}

TEST_F(GgufSplit, ARenamedPartIsRefused) {
  std::filesystem::rename(path(0), folder_.file("m.gguf"));
  EXPECT_CONTAINS(refusal(folder_.file("m.gguf")), "part 1 of 3", "NAME-00001-of-00003.gguf");
}

TEST_F(GgufSplit, PartsThatDoNotBelongTogetherAreRefused) {
  std::filesystem::copy_file(path(1), path(2), std::filesystem::copy_options::overwrite_existing);
  EXPECT_CONTAINS(refusal(path(0)), "another part than its name does");
  write(2);
  parts_[1].raw("split.count", 2, le<uint16_t>(4));
  write(1);
  EXPECT_CONTAINS(refusal(path(0)), "another part than its name does");
}

TEST_F(GgufSplit, APartOfAnotherModelIsRefused) {
  parts_[1].string("general.architecture", "qwen2");
  write(1);
  EXPECT_CONTAINS(refusal(path(0)), path(1), "belongs to another model", "general.architecture");
}

TEST_F(GgufSplit, ATensorInTwoPartsIsRefused) {
  parts_[2].tensor("token_embd.weight", {16, 256});
  write(2);
  EXPECT_CONTAINS(refusal(path(0)), "'token_embd.weight' is in another part too");
}

// Each part may have as many as a file may; what is made of all of them has the same limit.
TEST_F(GgufSplit, MoreTensorsInAllThanAFileMayHaveAreRefused) {
  for (int i = 1; i < 3; ++i) {
    std::vector<GgufBytes::Info>& tensors = parts_[static_cast<size_t>(i)].tensors;
    tensors.clear();
    for (uint64_t n = 0; n < 32769; ++n) {
      const std::string name = std::to_string(i) + "." + std::to_string(n);
      tensors.push_back({name, {1}, 0, 32 * n, le(0.0F)});
    }
    write(i);
  }
  EXPECT_CONTAINS(refusal(path(0)), path(2), "more than 65536 tensors up to this part");
}

TEST_F(GgufSplit, AWrongCountOfTensorsIsRefused) {
  parts_[0].i32("split.tensors.count", 99);
  write(0);
  EXPECT_CONTAINS(refusal(path(0)), "not as many as split.tensors.count says");
}

TEST_F(GgufSplit, NumbersThatMakeNoSenseAreRefused) {
  parts_[0].raw("split.no", 2, le<uint16_t>(3));
  write(0);
  EXPECT_CONTAINS(refusal(path(0)), "is part 4 of 3");
  parts_[0].string("split.count", "3");
  write(0);
  EXPECT_CONTAINS(refusal(path(0)), "split.count is not a whole number");
}

}  // namespace
