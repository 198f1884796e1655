#include <gtest/gtest.h>

#include <cstring>

#include "model/error.h"
#include "model/format/gguf.h"
#include "tests/support/data.h"
#include "tests/support/full_disk.h"
#include "tests/support/gguf_bytes.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::ModelFile;
using model::open_gguf;
using tests::GgufBytes;

TEST(GgufWrite, WhatIsWrittenIsReadBack) {
  const tests::TempFolder folder;
  const std::string path = folder.file("m.gguf");
  const std::vector<float> values = {1, -2, 0.5F, 65504, 1e-7F, 3};
  model::GgufWriter writer;
  const std::vector<std::pair<std::string, model::MetaValue>> metadata = {
      {"small", uint64_t{7}},
      {"large", uint64_t{1} << 40},
      {"negative", int64_t{-7}},
      {"very negative", -(int64_t{1} << 40)},
      {"float", 0.25},
      {"true", true},
      {"string", std::string("a\0b", 3)},
      {"uints", std::vector<uint64_t>{1, uint64_t{1} << 40}},
      {"ints", std::vector<int64_t>{-1, 2}},
      {"floats", std::vector<double>{0.5, -1}},
      {"bools", std::vector<bool>{true, false, true}},
      {"strings", std::vector<std::string>{"", "x"}},
      {"none", std::vector<std::string>{}}};
  for (const auto& [key, value] : metadata) writer.add(key, value);
  writer.add_tensor("matrix", 2, 3, model::DType::kF32, values.data());
  writer.add_tensor("half", 3, 2, model::DType::kF16, values.data());
  writer.add_tensor("vector", 1, 6, model::DType::kF16, values.data());
  writer.write(path);

  const ModelFile file = open_gguf(path);
  EXPECT_EQ("GGUF v3", file.format());
  EXPECT_EQ(metadata, file.metadata());
  float row[6];
  model::dequantize_row(file.require_tensor("matrix", 2, 3), 1, row);
  EXPECT_EQ(65504, row[0]);
  model::dequantize_row(file.require_tensor("half", 3, 2), 2, row);
  EXPECT_EQ(model::f32_from_f16(model::f16_from_f32(1e-7F)), row[0]);
  const model::Tensor& vector = file.require_tensor("vector", 1, 6);
  EXPECT_EQ(model::DType::kF32, vector.dtype) << "vectors stay f32";
  model::dequantize_row(vector, 0, row);
  EXPECT_EQ(values, std::vector<float>(row, row + 6));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST(GgufWrite, CountsAreWrittenAsLlamaCppWritesThem) {
  const tests::TempFolder folder;
  model::GgufWriter writer;
  writer.add("n", uint64_t{5});
  writer.write(folder.file("m.gguf"));
  EXPECT_EQ(GgufBytes().u32("n", 5).build() + std::string(31 - (24 + 17 - 1) % 32, '\0'),
            tests::read_file(folder.file("m.gguf")));
}

TEST(GgufWrite, AModelWrittenAgainIsTheSame) {
  const tests::TempFolder folder;
  const ModelFile source = open_gguf(tests::data("models/llama-gqa-f16.gguf").string());
  model::GgufWriter writer;
  for (const auto& [key, value] : source.metadata()) writer.add(key, value);
  for (const model::Tensor& t : source.tensors()) {
    std::vector<float> values(static_cast<size_t>(t.elements()));
    for (int64_t r = 0; r < t.rows(); ++r) model::dequantize_row(t, r, &values[r * t.cols()]);
    writer.add_tensor(t.name, t.rows(), t.cols(), t.dtype, values.data());
  }
  writer.write(folder.file("m.gguf"));
  EXPECT_EQ(tests::read_file(tests::data("models/llama-gqa-f16.gguf")),
            tests::read_file(folder.file("m.gguf")));
}

TEST(GgufWrite, TensorsOfEveryTypeAndShapeAreCopiedAsTheyLie) {
  const tests::TempFolder folder;
  std::vector<std::byte> bytes(3 * 5 * 2 * 292);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37);
  model::GgufWriter writer;
  std::vector<model::Tensor> tensors;
  for (uint32_t type = 0; type < 64; ++type) {
    const model::BlockSize block = model::dtype_block(type);
    if (block.elements == 0) continue;
    tensors.push_back({model::dtype_name(type),
                       static_cast<model::DType>(type),
                       {block.elements, 3, 5, 2},
                       bytes.data()});
    writer.add_tensor(tensors.back());
  }
  ASSERT_GE(tensors.size(), 31U);
  writer.write(folder.file("m.gguf"));
  const ModelFile file = open_gguf(folder.file("m.gguf"));
  ASSERT_EQ(tensors.size(), file.tensors().size());
  for (const model::Tensor& t : tensors) {
    const model::Tensor* back = file.find_tensor(t.name);
    ASSERT_NE(nullptr, back) << t.name;
    EXPECT_EQ(t.dtype, back->dtype) << t.name;
    EXPECT_EQ(t.ne, back->ne) << t.name;
    EXPECT_EQ(0, std::memcmp(t.data, back->data, t.bytes())) << t.name;
  }
}

TEST(GgufWrite, ValuesAreStoredAsAnyTypeThatIsWritten) {
  const tests::TempFolder folder;
  std::vector<float> values(2 * 256);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i < 256 ? 1.0F : -2.0F;
  model::GgufWriter writer;
  for (const char* name : {"F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_0", "Q4_0", "Q4_K"}) {
    writer.add_tensor(name, 2, 256, model::dtype_from_name(name).value(), values.data());
  }
  std::fill(values.begin(), values.end(), 0.0F);  // converted at once: theirs no more
  writer.write(folder.file("m.gguf"));
  const ModelFile file = open_gguf(folder.file("m.gguf"));
  ASSERT_EQ(8U, file.tensors().size());
  for (const model::Tensor& t : file.tensors()) {
    EXPECT_EQ(model::dtype_from_name(t.name), t.dtype);
    std::vector<float> row(256);
    model::dequantize_row(t, 1, row.data());
    EXPECT_NEAR(-2.0F, row[255], 0.01F) << t.name;
  }
}

TEST(GgufWrite, RowsAreAskedForInOrderAndAFewMegabytesAtATime) {
  const tests::TempFolder folder;
  constexpr int64_t kCols = 3000;
  constexpr int64_t kRows = 2500;  // 30 MB
  int64_t next = 0;
  int64_t most = 0;
  model::GgufWriter writer;
  writer.add_tensor("t", {kCols, kRows / 5, 5, 1}, model::DType::kF32,
                    [&](int64_t first, int64_t n, std::byte* out) {
                      EXPECT_EQ(next, first);
                      next += n;
                      most = std::max(most, n);
                      for (int64_t i = 0; i < n * kCols; ++i) {
                        const auto value = static_cast<float>(first * kCols + i);
                        std::memcpy(out + 4 * i, &value, 4);
                      }
                    });
  writer.write(folder.file("m.gguf"));
  EXPECT_EQ(kRows, next);
  EXPECT_LE(most * kCols * 4, 8 << 20);
  const ModelFile file = open_gguf(folder.file("m.gguf"));
  const model::Tensor& t = file.require_tensor("t", kRows / 5, kCols, 5);
  std::vector<float> row(kCols);
  for (int64_t r = 0; r < kRows; ++r) {
    model::dequantize_row(t, r, row.data());
    ASSERT_EQ(static_cast<float>(r * kCols), row[0]);
    ASSERT_EQ(static_cast<float>(r * kCols + kCols - 1), row[kCols - 1]);
  }
}

TEST(GgufWrite, WhatIsThrownWhileWritingLeavesNoFile) {
  const tests::TempFolder folder;
  model::GgufWriter writer;
  writer.add_tensor("t", {4, 4, 1, 1}, model::DType::kF32,
                    [](int64_t, int64_t, std::byte*) { throw Error(ExitCode::kBadModel, "no"); });
  EXPECT_THROW(writer.write(folder.file("m.gguf")), Error);
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(folder.file("m")).parent_path()));
}

TEST(GgufWrite, AFailureNamesThePathAndLeavesTheOldFile) {
  const tests::TempFolder folder;
  model::GgufWriter writer;
  writer.add("n", uint64_t{5});
  try {
    writer.write(folder.file("absent/m.gguf"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kFailed, error.code());
    EXPECT_CONTAINS(error.what(), "absent/m.gguf");
  }
  std::filesystem::create_directory(folder.file("taken"));
  EXPECT_THROW(writer.write(folder.file("taken")), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.file("taken.part")));
}

TEST(GgufWrite, AFullDiskIsReported) {
  const tests::TempFolder folder;
  model::GgufWriter writer;
  writer.add("n", uint64_t{5});
  {
    const tests::FullDisk full(10);
    EXPECT_THROW(writer.write(folder.file("m.gguf")), Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.file("")));
}

TEST(GgufWriteDeathTest, WrongNamesAndSizesAreBugs) {
  const float value = 1;
  model::GgufWriter w;
  w.add("k", true);
  w.add_tensor("t", 1, 1, model::DType::kF32, &value);
  EXPECT_DEATH(w.add("k", true), "bug");
  EXPECT_DEATH(w.add("", true), "bug");
  EXPECT_DEATH(w.add("general.alignment", uint64_t{64}), "bug");
  EXPECT_DEATH(w.add_tensor("t", 1, 1, model::DType::kF32, &value), "bug");
  EXPECT_DEATH(w.add_tensor(std::string(64, 'n'), 1, 1, model::DType::kF32, &value), "bug");
  EXPECT_DEATH(w.add_tensor("u", 0, 1, model::DType::kF32, &value), "bug");
  EXPECT_DEATH(w.add_tensor("u", 1, -1, model::DType::kF32, &value), "bug");
  EXPECT_DEATH(w.add_tensor("u", {16, 1, 1, 1}, model::DType::kQ8_0, {}), "bug");
  EXPECT_DEATH(w.add_tensor("u", {16, 0, 1, 1}, model::DType::kF32, {}), "bug");
}

}  // namespace
