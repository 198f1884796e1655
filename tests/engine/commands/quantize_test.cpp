#include "engine/commands/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "model/error.h"
#include "model/format/gguf.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using engine::commands::quantize;
using fulgurite::Error;
using fulgurite::ExitCode;
using model::DType;
using model::ModelFile;
using model::open_gguf;
using model::Tensor;

std::string real(const std::string& name) {
  return tests::shared_data("models/real/" + name + ".gguf").string();
}

std::string summary_of(const std::string& in, const std::string& out, const std::string& type) {
  std::ostringstream line;
  EXPECT_EQ(0, quantize({in, out, type, 2}, line));
  return line.str();
}

ModelFile quantized(const tests::TempFolder& folder, const std::string& in,
                    const std::string& type) {
  const std::string path = folder.file(type + ".gguf");
  summary_of(in, path, type);
  return open_gguf(path);
}

std::string bytes_of(const Tensor& t) {
  return {reinterpret_cast<const char*>(t.data), t.bytes()};
}

// Every tensor of `theirs` is in `ours`, of the same type; the number whose bytes differ.
int differing_tensors(const ModelFile& ours, const ModelFile& theirs) {
  EXPECT_EQ(theirs.tensors().size(), ours.tensors().size());
  int differing = 0;
  for (const Tensor& want : theirs.tensors()) {
    const Tensor* have = ours.find_tensor(want.name);
    if (have == nullptr || have->dtype != want.dtype || have->ne != want.ne) {
      ADD_FAILURE() << want.name << " is " << (have ? model::dtype_name(have->dtype) : "missing");
    } else if (bytes_of(*have) != bytes_of(want)) {
      ++differing;
    }
  }
  return differing;
}

// The squared error of a quantised file's tensor relative to the squares of the source.
double error_of(const Tensor& source, const Tensor& stored) {
  std::vector<float> x(static_cast<size_t>(source.cols()));
  std::vector<float> y(x.size());
  double error = 0.0;
  double squares = 0.0;
  for (int64_t r = 0; r < source.rows(); ++r) {
    model::dequantize_row(source, r, x.data());
    model::dequantize_row(stored, r, y.data());
    for (size_t i = 0; i < x.size(); ++i) {
      error += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
      squares += double{x[i]} * x[i];
    }
  }
  return error / squares;
}

struct Twin {
  const char* source;
  const char* type;
  const char* theirs;  // made by llama-quantize
};

TEST(Quantize, PlainFormatsAreThoseOfLlamaQuantizeToTheByte) {
  REQUIRE_SHARED_DATA();
  for (const Twin& twin : {Twin{"shakespeare-llama-f32", "Q8_0", "shakespeare-llama-q8_0"},
                           Twin{"shakespeare-llama-f32", "F16", "shakespeare-llama-f16"},
                           Twin{"shakespeare-gpt2-f32", "Q8_0", "shakespeare-gpt2-q8_0"},
                           Twin{"stories260K-f32", "Q8_0", "stories260K-q8_0"},
                           Twin{"stories260K-f32", "Q5_0", "stories260K-q5_0"},
                           Twin{"stories260K-f32", "Q4_0", "stories260K-q4_0"},
                           Twin{"stories260K-f32", "F16", "stories260K-f16"}}) {
    const tests::TempFolder folder;
    const ModelFile ours = quantized(folder, real(twin.source), twin.type);
    const ModelFile theirs = open_gguf(real(twin.theirs));
    EXPECT_EQ(0, differing_tensors(ours, theirs)) << twin.theirs;
    EXPECT_EQ(theirs.get_int("general.file_type", 0, 100),
              ours.get_int("general.file_type", 0, 100));
  }
}

TEST(Quantize, SearchedFormatsHaveTheTypesOfLlamaQuantizeAndNoLargerErrors) {
  REQUIRE_SHARED_DATA();
  for (const Twin& twin : {Twin{"shakespeare-llama-f32", "Q4_K", "shakespeare-llama-q4_k_m"},
                           Twin{"shakespeare-gpt2-f32", "q4_k_m", "shakespeare-gpt2-q4_k_m"},
                           Twin{"shakespeare-llama-f32", "Q6_K", "shakespeare-llama-q6_k"},
                           Twin{"shakespeare-llama-f32", "Q4_0", "shakespeare-llama-q4_0"}}) {
    const tests::TempFolder folder;
    const ModelFile source = open_gguf(real(twin.source));
    const ModelFile ours = quantized(folder, real(twin.source), twin.type);
    const ModelFile theirs = open_gguf(real(twin.theirs));
    differing_tensors(ours, theirs);
    EXPECT_EQ(theirs.get_int("general.file_type", 0, 100),
              ours.get_int("general.file_type", 0, 100));
    for (const Tensor& t : source.tensors()) {
      EXPECT_LE(error_of(t, *ours.find_tensor(t.name)),
                1.02 * error_of(t, *theirs.find_tensor(t.name)))
          << twin.theirs << " " << t.name;
    }
  }
}

// The twins in models/synth are what llama.cpp's converter makes of these folders.
TEST(Quantize, FoldersOfHuggingFaceBecomeFilesInGgufsLayout) {
  REQUIRE_SHARED_DATA();
  const tests::TempFolder folder;
  for (const auto& [hf, gguf] :
       {std::pair{"llama-gqa", "llama-gqa"}, std::pair{"qwen3moe-sharded", "qwen3moe"}}) {
    const ModelFile twin =
        open_gguf(tests::shared_data("models/synth/" + std::string(gguf) + ".gguf").string());
    const ModelFile made =
        quantized(folder, tests::shared_data("models/hf/" + std::string(hf)).string(), "F32");
    EXPECT_EQ(0, differing_tensors(made, twin)) << hf;
    EXPECT_EQ(nullptr, made.find("fulgurite.rope.halves"));
  }
}

TEST(Quantize, MetadataAreKeptAndSayWhatWasDone) {
  const tests::TempFolder folder;
  const std::string in = tests::data("models/llama-gqa-f16.gguf").string();
  const ModelFile source = open_gguf(in);
  const ModelFile q8 = quantized(folder, in, "q8_0");
  for (const auto& [key, value] : source.metadata()) {
    if (key == "general.file_type") continue;
    ASSERT_NE(nullptr, q8.find(key)) << key;
    EXPECT_EQ(value, *q8.find(key)) << key;
  }
  EXPECT_EQ(7, q8.get_int("general.file_type", 0, 100));
  EXPECT_EQ(2, q8.get_int("general.quantization_version", 0, 100));
  const ModelFile bf16 = quantized(folder, in, "bf16");
  EXPECT_EQ(32, bf16.get_int("general.file_type", 0, 100));
}

TEST(Quantize, TheSummaryNamesSizesAndTypes) {
  const tests::TempFolder folder;
  const std::string out = folder.file("m.gguf");
  const std::string line =
      summary_of(tests::data("models/llama-gqa-f16.gguf").string(), out, "q4_k");
  // Rows of 64 and 128 values are too short for blocks of 256.
  EXPECT_CONTAINS(line, out, "Q4_K", "MB", "bits a weight", "Q5_0", "5 F32");
  EXPECT_EQ(std::string::npos, line.find("F16"));
}

// One tensor of each kind that a mixture and GPT-2 have, F32, all values 1.
std::string zoo() {
  tests::GgufBytes g;
  g.string("general.architecture", "zoo").u32("split.count", 1).u32("general.file_type", 0);
  const auto add = [&](const std::string& name, const std::vector<int64_t>& ne) {
    g.tensor(name, ne);
    std::string& data = g.tensors.back().data;
    const std::vector<float> ones(data.size() / sizeof(float), 1.0F);
    data.assign(reinterpret_cast<const char*>(ones.data()), data.size());
  };
  add("token_embd.weight", {256, 8});
  add("position_embd.weight", {256, 4});
  add("blk.0.attn_norm.weight", {256});
  add("blk.0.attn_q.bias", {256});
  add("blk.0.ffn_gate_inp.weight", {256, 4});
  add("blk.0.ffn_up_exps.weight", {256, 3, 4});
  add("blk.1.ffn_down_exps.weight", {96, 3, 4});
  add("blk.0.odd.weight", {100, 2});
  add("blk.7.ffn_down_exps.weight", {256, 3, 4});
  return g.build();
}

TEST(Quantize, EveryKindOfTensorGetsItsType) {
  const tests::TempFolder folder;
  const std::string in = folder.file("zoo.gguf");
  std::ofstream(in, std::ios::binary) << zoo();
  const ModelFile q4 = quantized(folder, in, "Q4_K");
  const auto type = [&](const char* name) { return q4.find_tensor(name)->dtype; };
  EXPECT_EQ(DType::kQ6K, type("token_embd.weight")) << "tied: it is the output as well";
  EXPECT_EQ(DType::kF32, type("position_embd.weight"));
  EXPECT_EQ(DType::kF32, type("blk.0.attn_norm.weight"));
  EXPECT_EQ(DType::kF32, type("blk.0.attn_q.bias"));
  EXPECT_EQ(DType::kF32, type("blk.0.ffn_gate_inp.weight")) << "the router";
  EXPECT_EQ(DType::kQ4K, type("blk.0.ffn_up_exps.weight"));
  EXPECT_EQ(DType::kQ5_0, type("blk.1.ffn_down_exps.weight")) << "96 = 3 * 32";
  EXPECT_EQ(DType::kF16, type("blk.0.odd.weight"));
  EXPECT_EQ(DType::kQ6K, type("blk.7.ffn_down_exps.weight")) << "the last eighth";
  const Tensor& experts = q4.require_tensor("blk.0.ffn_up_exps.weight", 3, 256, 4);
  std::vector<float> row(256);
  for (int64_t r = 0; r < experts.rows(); ++r) {
    model::dequantize_row(experts, r, row.data());
    EXPECT_NEAR(1.0, row[255], 0.005) << r;
  }
  EXPECT_EQ(nullptr, q4.find("split.count")) << "the output is one file";
  EXPECT_EQ(2, q4.get_int("general.quantization_version", 0, 100));
  const ModelFile f16 = quantized(folder, in, "F16");
  EXPECT_EQ(nullptr, f16.find("general.quantization_version")) << "nothing is quantised";
}

// llama-quant's rule for models of eight experts.
TEST(Quantize, OfEightExpertsKeysAndValuesKeepAByte) {
  REQUIRE_SHARED_DATA();
  const tests::TempFolder folder;
  const auto type = [&](const std::string& model, const char* tensor) {
    const std::string in = tests::shared_data("models/synth/" + model + ".gguf").string();
    return quantized(folder, in, "Q4_0").find_tensor(tensor)->dtype;
  };
  EXPECT_EQ(DType::kQ8_0, type("olmoe", "blk.0.attn_k.weight"));
  EXPECT_EQ(DType::kQ8_0, type("olmoe", "blk.1.attn_v.weight"));
  EXPECT_EQ(DType::kQ4_0, type("olmoe", "blk.0.attn_q.weight"));
  EXPECT_EQ(DType::kQ4_0, type("mixtral", "blk.0.attn_k.weight")) << "of four";
}

TEST(Quantize, WhatIsQuantisedAlreadyMayBeConvertedWithAWarning) {
  const tests::TempFolder folder;
  const std::string in = tests::data("models/llama-gqa-f16.gguf").string();
  const std::string q4 = folder.file("q4.gguf");
  testing::internal::CaptureStderr();
  summary_of(in, q4, "Q4_0");
  EXPECT_EQ("", testing::internal::GetCapturedStderr());
  testing::internal::CaptureStderr();
  summary_of(q4, folder.file("q8.gguf"), "Q8_0");
  EXPECT_CONTAINS(testing::internal::GetCapturedStderr(), q4, "quantised already");
  // Q8_0 holds what Q4_0 left: converted back, nothing changes but the types.
  const ModelFile once = open_gguf(q4);
  const ModelFile twice = open_gguf(folder.file("q8.gguf"));
  for (const Tensor& t : once.tensors()) {
    EXPECT_LT(error_of(t, *twice.find_tensor(t.name)), 1e-4) << t.name;
  }
}

TEST(Quantize, AnUnknownTypeIsAUsageErrorThatListsTheTypes) {
  const tests::TempFolder folder;
  for (const char* type : {"Q3_K", "Q4", "", "IQ1_S", "Q8_0 "}) {
    try {
      summary_of(tests::data("models/llama-gqa-f16.gguf").string(), folder.file("m"), type);
      ADD_FAILURE() << type;
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kUsage, error.code());
      EXPECT_CONTAINS(error.what(), type, "Q8_0", "Q4_0", "Q4_K", "F16");
    }
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("m")));
}

std::string refusal(const std::string& model, ExitCode code) {
  const tests::TempFolder folder;
  std::ofstream(folder.file("in.gguf"), std::ios::binary) << model;
  try {
    summary_of(folder.file("in.gguf"), folder.file("out.gguf"), "Q8_0");
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(code, error.code());
    EXPECT_FALSE(std::filesystem::exists(folder.file("out.gguf")));
    EXPECT_FALSE(std::filesystem::exists(folder.file("out.gguf.part")));
    return error.what();
  }
  return "";
}

TEST(Quantize, WhatCannotBeConvertedIsRefusedByName) {
  EXPECT_CONTAINS(refusal(tests::GgufBytes().tensor("a.weight", {256, 2}, 16, 2 * 66).build(),
                          ExitCode::kBadModel),
                  "in.gguf", "'a.weight'", "IQ2_XXS", "llama-quantize");
  tests::GgufBytes broken;
  broken.tensor("a.weight", {32, 2});
  broken.tensors[0].data.replace(33 * 4, 4, tests::le<uint32_t>(0x7FC00000));  // NaN
  EXPECT_CONTAINS(refusal(broken.build(), ExitCode::kBadModel), "'a.weight'", "row 1", "nan");
  EXPECT_CONTAINS(refusal(tests::GgufBytes().u32("n", 1).build(), ExitCode::kBadModel),
                  "no tensors");
}

TEST(Quantize, NamesThatNoFileCanHoldAreRefused) {
  const std::string part = std::string(46, 'x') + ".ffn_up.0.weight";  // _exps is three longer
  EXPECT_CONTAINS(refusal(tests::GgufBytes().tensor(part, {32, 2}).build(), ExitCode::kBadModel),
                  "_exps", "65 bytes", "63");
  tests::GgufBytes twice;
  twice.tensor("blk.0.ffn_up.0.weight", {32, 2}).tensor("blk.0.ffn_up_exps.weight", {32, 2, 1});
  EXPECT_CONTAINS(refusal(twice.build(), ExitCode::kBadModel), "'blk.0.ffn_up_exps.weight'",
                  "expert by expert");
}

// What is no expert's matrix must not be read as if it were one.
TEST(Quantize, PartsThatAreNotAlikeAreRefused) {
  tests::GgufBytes shapes;
  shapes.tensor("blk.0.ffn_gate.1.weight", {32, 4}).tensor("blk.0.ffn_gate.0.weight", {32, 1});
  EXPECT_CONTAINS(refusal(shapes.build(), ExitCode::kBadModel), "is not like other experts");
  const tests::TempFolder folder;
  tests::GgufBytes biases;
  biases.tensor("blk.0.ffn_gate.0.weight", {32, 1}).tensor("blk.0.ffn_gate.0.bias", {1024, 4});
  std::ofstream(folder.file("in.gguf"), std::ios::binary) << biases.build();
  EXPECT_NE(nullptr,
            quantized(folder, folder.file("in.gguf"), "Q8_0").find_tensor("blk.0.ffn_gate.0.bias"));
}

TEST(Quantize, AVectorInBlocksIsNotTurnedValueByValue) {
  tests::GgufBytes g = tests::small_llama();
  g.boolean("fulgurite.rope.halves", true);
  g.tensors.clear();
  g.tensor("blk.0.attn_q.weight", {32, 1}, 2, 18);  // Q4_0
  EXPECT_CONTAINS(refusal(g.build(), ExitCode::kBadModel), "'blk.0.attn_q.weight'",
                  "does not divide into heads");
}

TEST(Quantize, ALayerOfAnyNumberIsOne) {
  const tests::TempFolder folder;
  for (const char* layer : {"9223372036854775807", "99999999999999999999", "-5"}) {
    std::ofstream(folder.file("in.gguf"), std::ios::binary)
        << tests::GgufBytes()
               .tensor("blk." + std::string(layer) + ".attn_v.weight", {256, 2})
               .build();
    EXPECT_EQ(1U, quantized(folder, folder.file("in.gguf"), "Q4_K").tensors().size());
  }
}

TEST(Quantize, AnOutputThatCannotBeWrittenIsRefusedAtOnce) {
  const tests::TempFolder folder;
  const std::string in = tests::data("models/llama-gqa-f16.gguf").string();
  EXPECT_THROW(summary_of(in, folder.file("absent/m.gguf"), "Q8_0"), Error);
  EXPECT_THROW(summary_of(in, folder.file(""), "Q8_0"), Error);
  EXPECT_THROW(summary_of(folder.file("absent.gguf"), folder.file("m.gguf"), "Q8_0"), Error);
}

}  // namespace
