#include "model/format/gguf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::ModelFile;
using model::open_gguf;
using tests::GgufBytes;
using tests::le;
using tests::LoadedGguf;
using tests::refusal;

std::string refusal_of_path(const std::string& path) {
  try {
    open_gguf(path);
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kBadModel, error.code());
    EXPECT_CONTAINS(error.what(), path);
    EXPECT_EQ(std::string::npos, std::string(error.what()).find("\n"));
    return error.what();
  }
  return "(accepted)";
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// ---- what is read

TEST(GgufRead, EveryValueTypeIsWidened) {
  GgufBytes g;
  g.raw("u8", 0, le<uint8_t>(200)).raw("i8", 1, le<int8_t>(-3));
  g.raw("u16", 2, le<uint16_t>(60000)).raw("i16", 3, le<int16_t>(-300));
  g.u32("u32", 4000000000U).i32("i32", -5).f32("f32", 0.5F).boolean("bool", true);
  g.string("string", "caf\xC3\xA9").raw("u64", 10, le<uint64_t>(1ULL << 63));
  g.raw("i64", 11, le<int64_t>(-(1LL << 40))).raw("f64", 12, le(1e300));
  const LoadedGguf loaded(g.build());
  const ModelFile& f = loaded.file;
  EXPECT_EQ(model::MetaValue(uint64_t{200}), *f.find("u8"));
  EXPECT_EQ(model::MetaValue(int64_t{-3}), *f.find("i8"));
  EXPECT_EQ(model::MetaValue(uint64_t{60000}), *f.find("u16"));
  EXPECT_EQ(model::MetaValue(int64_t{-300}), *f.find("i16"));
  EXPECT_EQ(model::MetaValue(uint64_t{4000000000U}), *f.find("u32"));
  EXPECT_EQ(model::MetaValue(int64_t{-5}), *f.find("i32"));
  EXPECT_EQ(model::MetaValue(0.5), *f.find("f32"));
  EXPECT_EQ(model::MetaValue(true), *f.find("bool"));
  EXPECT_EQ(model::MetaValue(std::string("caf\xC3\xA9")), *f.find("string"));
  EXPECT_EQ(model::MetaValue(uint64_t{1} << 63), *f.find("u64"));
  EXPECT_EQ(model::MetaValue(-(int64_t{1} << 40)), *f.find("i64"));
  EXPECT_EQ(model::MetaValue(1e300), *f.find("f64"));
  EXPECT_EQ(nullptr, f.find("absent"));
  EXPECT_EQ("u8", f.metadata().front().first) << "in file order";
}

TEST(GgufRead, EveryArrayTypeBecomesAVector) {
  GgufBytes g;
  g.array<uint16_t>("u16", 2, {1, 2})
      .array<int8_t>("i8", 1, {-1, 2})
      .array<float>("f32", 6, {0.5F});
  g.array<uint8_t>("bool", 7, {1, 0}).strings("strings", {"a", ""}).array<uint64_t>("none", 10, {});
  const LoadedGguf loaded(g.build());
  EXPECT_EQ(model::MetaValue(std::vector<uint64_t>{1, 2}), *loaded.file.find("u16"));
  EXPECT_EQ(model::MetaValue(std::vector<int64_t>{-1, 2}), *loaded.file.find("i8"));
  EXPECT_EQ(model::MetaValue(std::vector<double>{0.5}), *loaded.file.find("f32"));
  EXPECT_EQ(model::MetaValue(std::vector<bool>{true, false}), *loaded.file.find("bool"));
  EXPECT_EQ(model::MetaValue(std::vector<std::string>{"a", ""}), *loaded.file.find("strings"));
  EXPECT_EQ(model::MetaValue(std::vector<uint64_t>{}), *loaded.file.find("none"));
}

TEST(GgufRead, TensorsPointAtTheirBytes) {
  GgufBytes g;
  g.tensor("a", {3}).tensor("b", {2, 3}, 1).tensor("q", {32, 2}, 8, 68);
  g.tensors[0].data = le(1.0F) + le(2.0F) + le(3.0F);
  g.tensors[1].data[10] = 7;
  const LoadedGguf loaded(g.build());
  const ModelFile& f = loaded.file;
  ASSERT_EQ(3U, f.tensors().size());
  float row[3];
  model::dequantize_row(*f.find_tensor("a"), 0, row);
  EXPECT_EQ(3.0F, row[2]);
  const model::Tensor& b = f.require_tensor("b", 3, 2);
  EXPECT_EQ(std::byte{7}, b.row(2)[2]);
  EXPECT_EQ(68U, f.find_tensor("q")->bytes()) << "types we cannot compute can be listed";
  EXPECT_EQ(nullptr, f.find_tensor("absent"));
}

TEST(GgufRead, VersionTwoIsReadLikeThree) {
  GgufBytes g = tests::small_llama();
  g.version = 2;
  EXPECT_EQ("GGUF v2", LoadedGguf(g.build()).file.format());
}

TEST(GgufRead, AnotherAlignmentIsHonoured) {
  GgufBytes g;
  g.alignment = 256;
  g.u32("general.alignment", 256).tensor("a", {1}).tensor("b", {1});
  g.tensors[1].data = le(4.0F);
  const LoadedGguf loaded(g.build());
  EXPECT_EQ(256, loaded.file.find_tensor("b")->data - loaded.file.find_tensor("a")->data);
  float value = 0;
  model::dequantize_row(*loaded.file.find_tensor("b"), 0, &value);
  EXPECT_EQ(4.0F, value);
}

TEST(GgufRead, AFileMayHoldAVocabularyAndNoTensor) {
  EXPECT_TRUE(LoadedGguf(GgufBytes().string("a", "b").build()).file.tensors().empty());
  EXPECT_TRUE(LoadedGguf(GgufBytes().build()).file.metadata().empty());
}

TEST(GgufRead, AMovedFileStaysReadable) {
  ModelFile first = open_gguf(tests::data("models/llama-gqa-f16.gguf").string());
  const ModelFile second = std::move(first);
  const model::Tensor& t = second.require_tensor("blk.1.ffn_down.weight", 64, 128);
  std::vector<float> row(128);
  model::dequantize_row(t, 63, row.data());
  EXPECT_NE(0.0F, row[127]);
}

TEST(GgufRead, EveryModelAtHandOpens) {
  REQUIRE_SHARED_DATA();
  size_t seen = 0;
  for (const char* folder : {"models/real", "models/synth", "vocab"}) {
    for (const auto& entry : std::filesystem::directory_iterator(tests::shared_data(folder))) {
      if (entry.path().extension() != ".gguf") continue;
      ++seen;
      EXPECT_NO_THROW(open_gguf(entry.path().string())) << entry.path();
    }
  }
  EXPECT_GE(seen, 50U);
}

// ---- typed access

TEST(GgufGet, NumbersAreRangeCheckedAndNamed) {
  const LoadedGguf loaded(
      GgufBytes().u32("n", 7).i32("m", -7).f32("x", 1.5F).raw("big", 10, le(~uint64_t{0})).build());
  const ModelFile& f = loaded.file;
  EXPECT_EQ(7, f.get_int("n", 1, 7));
  EXPECT_EQ(-7, f.get_int("m", -10, 0));
  EXPECT_EQ(3, f.get_int("absent", 0, 9, 3));
  EXPECT_EQ(1.5, f.get_float("x", 0));
  EXPECT_THROW(f.get_int("n", 0, 6), Error);
  EXPECT_THROW(f.get_int("n", 8, 9), Error);
  EXPECT_THROW(f.get_int("n", 8, 9, 8), Error) << "a fallback mends no wrong value";
  EXPECT_THROW(f.get_int("x", 0, 9), Error);
  EXPECT_THROW(f.get_int("big", 0, INT64_MAX), Error);
  EXPECT_THROW(f.get_float("n", 0), Error);
  EXPECT_THROW(f.get_bool("n", true), Error);
  try {
    f.get_int("absent", 0, 9);
    FAIL();
  } catch (const Error& error) {
    EXPECT_CONTAINS(error.what(), "'absent' is missing");
  }
}

TEST(GgufGet, StringsAndTheirArraysAreTyped) {
  const LoadedGguf loaded(GgufBytes().string("s", "x").strings("a", {"y"}).u32("n", 1).build());
  EXPECT_EQ("x", loaded.file.get_string("s"));
  EXPECT_EQ("z", loaded.file.get_string("absent", "z"));
  EXPECT_EQ("y", loaded.file.get_strings("a")->at(0));
  EXPECT_EQ(nullptr, loaded.file.get_strings("absent"));
  EXPECT_THROW(loaded.file.get_string("n"), Error);
  EXPECT_THROW(loaded.file.get_string("absent"), Error);
  EXPECT_THROW(loaded.file.get_strings("s"), Error);
}

TEST(GgufGet, ATensorOfAnotherShapeIsRefusedWithBothShapes) {
  const LoadedGguf loaded(GgufBytes().tensor("t", {2, 3}).build());
  EXPECT_NO_THROW(loaded.file.require_tensor("t", 3, 2));
  EXPECT_THROW(loaded.file.require_tensor("absent", 3, 2), Error);
  try {
    loaded.file.require_tensor("t", 2, 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_CONTAINS(error.what(), "2 x 3", "3 x 2");
  }
}

// ---- files that are none

TEST(GgufOpen, AMissingFile) {
  EXPECT_CONTAINS(refusal_of_path("/nonexistent/m.gguf"), "no such file");
}

TEST(GgufOpen, ADirectory) {
  EXPECT_CONTAINS(refusal_of_path(tests::data("models").string()), "is a directory");
}

TEST(GgufOpen, ANamedPipeDoesNotHang) {
  const tests::TempFolder folder;
  ASSERT_EQ(0, mkfifo(folder.file("pipe").c_str(), 0600));
  EXPECT_CONTAINS(refusal_of_path(folder.file("pipe")), "not a regular file");
}

TEST(GgufOpen, AnUnreadableFile) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const tests::TempFolder folder;
  write_file(folder.file("m.gguf"), "GGUF");
  chmod(folder.file("m.gguf").c_str(), 0);
  EXPECT_CONTAINS(refusal_of_path(folder.file("m.gguf")), "Permission denied");
}

TEST(GgufOpen, AnEmptyFile) {
  const tests::TempFolder folder;
  write_file(folder.file("m.gguf"), "");
  EXPECT_CONTAINS(refusal_of_path(folder.file("m.gguf")), "the file is empty");
  EXPECT_CONTAINS(refusal(""), "the file is empty");
}

TEST(GgufOpen, ATextFileNamedGguf) {
  const tests::TempFolder folder;
  write_file(folder.file("m.gguf"), "Dear\nmodel,\x1B[31m");
  EXPECT_CONTAINS(refusal_of_path(folder.file("m.gguf")),
                  "not a GGUF model: it begins with 'Dear\\x0Amod'");
}

TEST(GgufOpen, WhatElseIsNamedGgufIsRecognised) {
  EXPECT_CONTAINS(refusal("<!DOCTYPE html><html>"), "this is a web page");
  EXPECT_CONTAINS(refusal(std::string("PK\x03\x04\0\0", 6)), "pickled weights");
  EXPECT_CONTAINS(refusal("\x80\x02}q\x01"), "pickled weights");
  EXPECT_CONTAINS(refusal("\x1F\x8B\x08"), "gunzip");
  EXPECT_CONTAINS(refusal("{\"architectures\": []}"), "of a model in safetensors name the folder");
}

TEST(GgufOpen, AGitLfsPointer) {
  EXPECT_CONTAINS(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
                  "git lfs pull");
}

TEST(GgufOpen, WhatIsKeptInGgufBesideModelsIsNoModel) {
  for (const auto& [type, name] : {std::pair{"adapter", "an adapter (LoRA)"},
                                   {"imatrix", "an importance matrix"},
                                   {"mmproj", "the part that sees or hears"}}) {
    const LoadedGguf loaded(tests::small_llama().string("general.type", type).build());
    const std::vector<std::string> problems = model::find_problems(loaded.file);
    ASSERT_EQ(1U, problems.size());
    EXPECT_CONTAINS(problems[0], name, "not a model");
  }
  const LoadedGguf loaded(tests::small_llama().string("general.type", "model").build());
  EXPECT_TRUE(model::find_problems(loaded.file).empty());
}

}  // namespace
