// Malformed files, class by class, then every truncation and many mutations.
#include <gtest/gtest.h>

#include <random>

#include "model/error.h"
#include "model/format/gguf.h"
#include "tests/support/gguf_bytes.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using tests::GgufBytes;
using tests::le;
using tests::LoadedGguf;
using tests::refusal;

TEST(GgufMalformed, BadMagic) {
  GgufBytes g;
  g.magic = "GGUX";
  EXPECT_CONTAINS(refusal(g.build()), "not a GGUF model");
  g.magic = "lmgg";
  EXPECT_CONTAINS(refusal(g.build()), "the format before GGUF");
}

TEST(GgufMalformed, Versions) {
  GgufBytes g;
  for (const auto& [version, words] :
       std::vector<std::pair<uint32_t, std::string>>{{0, "version 0 is not supported"},
                                                     {1, "convert the model again"},
                                                     {4, "version 4 is not supported"},
                                                     {0x03000000, "big-endian"},
                                                     {0xFFFFFFFF, "version 4294967295"}}) {
    g.version = version;
    EXPECT_CONTAINS(refusal(g.build()), words);
  }
}

TEST(GgufMalformed, MoreMetadataThanBytes) {
  for (const uint64_t extra : {uint64_t{1}, uint64_t{1} << 40, ~uint64_t{0} - 5}) {
    GgufBytes g;
    g.string("a", "b").extra_kv = extra;
    EXPECT_CONTAINS(refusal(g.build()), "metadata value");
  }
}

TEST(GgufMalformed, MoreTensorsThanBytes) {
  for (const uint64_t extra : {uint64_t{2}, uint64_t{1} << 40, ~uint64_t{0} - 5}) {
    GgufBytes g;
    g.tensor("a", {1}).extra_tensors = extra;
    EXPECT_NE("(accepted)", refusal(g.build()));
  }
}

TEST(GgufMalformed, Keys) {
  EXPECT_CONTAINS(refusal(GgufBytes().u32("", 1).build()), "a key of 0 bytes");
  EXPECT_EQ("(accepted)", refusal(GgufBytes().u32(std::string(65535, 'k'), 1).build()));
  EXPECT_CONTAINS(refusal(GgufBytes().u32(std::string(65536, 'k'), 1).build()),
                  "a key of 65536 bytes");
  GgufBytes twice;
  twice.allow_duplicates = true;
  twice.u32("k\n", 1).string("k\n", "x");
  EXPECT_CONTAINS(refusal(twice.build()), "the key 'k\\x0A' comes twice");
}

TEST(GgufMalformed, ValueTypes) {
  EXPECT_CONTAINS(refusal(GgufBytes().raw("k", 13, le<uint64_t>(0)).build()),
                  "unknown value type 13");
  EXPECT_CONTAINS(refusal(GgufBytes().raw("k", 9, le<uint32_t>(13) + le<uint64_t>(0)).build()),
                  "unknown element type 13");
  EXPECT_CONTAINS(refusal(GgufBytes().raw("k", 7, le<uint8_t>(2)).build()), "the boolean 'k' is 2");
}

TEST(GgufMalformed, ArraysOfArrays) {
  EXPECT_CONTAINS(refusal(GgufBytes().raw("k", 9, le<uint32_t>(9) + le<uint64_t>(1)).build()),
                  "array of arrays");
}

TEST(GgufMalformed, ArraysLongerThanTheFile) {
  for (uint32_t type = 0; type <= 12; ++type) {
    if (type == 9) continue;
    for (const uint64_t n : {uint64_t{100}, uint64_t{1} << 61, ~uint64_t{0}}) {
      const std::string payload = le(type) + le(n) + std::string(16, '\0');
      EXPECT_CONTAINS(refusal(GgufBytes().raw("k", 9, payload).build()),
                      "claims " + std::to_string(n) + " elements");
    }
  }
}

TEST(GgufMalformed, StringsLongerThanTheFile) {
  for (const uint64_t n : {uint64_t{5}, uint64_t{1} << 62, ~uint64_t{0}}) {
    EXPECT_CONTAINS(refusal(GgufBytes().raw("k", 8, le(n) + "four").build()), "ends inside 'k'");
  }
}

TEST(GgufMalformed, Alignment) {
  for (const uint32_t alignment : {0U, 1U, 4U, 24U, 33U}) {
    EXPECT_CONTAINS(refusal(GgufBytes().u32("general.alignment", alignment).build()),
                    "general.alignment is " + std::to_string(alignment));
  }
  // The specification has it as uint32.
  const std::string other_type = "not an unsigned number of 32 bits";
  EXPECT_CONTAINS(refusal(GgufBytes().string("general.alignment", "32").build()), other_type);
  EXPECT_CONTAINS(refusal(GgufBytes().i32("general.alignment", 32).build()), other_type);
  EXPECT_CONTAINS(refusal(GgufBytes().u32("general.alignment", 1U << 31).tensor("t", {1}).build()),
                  "padding");
}

TEST(GgufMalformed, TensorNames) {
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("", {1}).build()), "a name of 0 bytes");
  EXPECT_EQ("(accepted)", refusal(GgufBytes().tensor(std::string(63, 'n'), {1}).build()));
  EXPECT_CONTAINS(refusal(GgufBytes().tensor(std::string(64, 'n'), {1}).build()),
                  "a name of 64 bytes");
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {1}).tensor("t", {1}).build()),
                  "tensor 't' comes twice");
}

TEST(GgufMalformed, Dimensions) {
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {}).build()), "has 0 dimensions");
  EXPECT_EQ("(accepted)", refusal(GgufBytes().tensor("t", {1, 1, 1, 2}).build()));
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {1, 1, 1, 1, 1}).build()), "has 5 dimensions");
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {4, 0}, 0, 16).build()), "has the size 0");
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {-4}, 0, 16).build()), "has the size -4");
}

TEST(GgufMalformed, ProductsThatOverflow) {
  constexpr int64_t kBig = int64_t{1} << 32;
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {kBig, kBig}, 0, 16).build()),
                  "more elements than 64 bits");
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {kBig, kBig / 2, 2, 1}, 0, 16).build()),
                  "more elements than 64 bits");
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {INT64_MAX}, 0, 16).build()),
                  "more bytes than 63 bits");
}

TEST(GgufMalformed, TensorTypes) {
  for (const uint32_t type : {41U, 0xFFFFFFFFU}) {
    EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {1}, type, 4).build()),
                    "unknown type " + std::to_string(type));
  }
  // Numbers that ggml.h has given up.
  for (const auto& [type, name] : {std::pair{4U, "Q4_2"},
                                   {5U, "Q4_3"},
                                   {31U, "Q4_0_4_4"},
                                   {33U, "Q4_0_8_8"},
                                   {36U, "IQ4_NL_4_4"}}) {
    EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {1}, type, 4).build()),
                    "'t' is of type " + std::string(name) + ", which was withdrawn");
  }
}

TEST(GgufMalformed, RowsThatAreNoWholeBlocks) {
  EXPECT_CONTAINS(refusal(GgufBytes().tensor("t", {33}, 8, 34).build()),
                  "Q8_0 comes in blocks of 32");
}

TEST(GgufMalformed, Offsets) {
  GgufBytes g;
  g.tensor("a", {8}).tensor("b", {8});
  g.tensors[1].offset = 33;
  EXPECT_CONTAINS(refusal(g.build()), "'b' begins at 33, not a multiple of 32");
  g.tensors[1].offset = uint64_t{1} << 40;
  EXPECT_CONTAINS(refusal(g.build()), "ends before the data of tensor 'b'");
  g.tensors[1].offset = ~uint64_t{0} - 31;
  EXPECT_CONTAINS(refusal(g.build()), "ends before the data of tensor 'b'");
}

TEST(GgufMalformed, TensorsThatOverlap) {
  GgufBytes g;
  g.tensor("a", {16}).tensor("b", {8});
  g.tensors[1].offset = 32;
  EXPECT_CONTAINS(refusal(g.build()), "'b' overlaps tensor 'a'");
  std::swap(g.tensors[0], g.tensors[1]);
  EXPECT_CONTAINS(refusal(g.build()), "'b' overlaps tensor 'a'");
}

TEST(GgufMalformed, DataTooShort) {
  std::string bytes = GgufBytes().tensor("a", {8}).build();
  bytes.pop_back();
  EXPECT_CONTAINS(refusal(bytes), "ends before the data of tensor 'a'");
}

TEST(GgufMalformed, EveryTruncationOfASmallFileIsRefused) {
  GgufBytes g;
  g.string("general.architecture", "llama").strings("a", {"x", "yz"}).array<float>("f", 6, {1, 2});
  g.boolean("b", true).tensor("first", {3, 2}).tensor("second", {8}, 1);
  const std::string whole = g.build();
  ASSERT_EQ("(accepted)", refusal(whole));
  for (size_t n = 0; n < whole.size(); ++n) {
    ASSERT_NE("(accepted)", refusal(whole.substr(0, n))) << n << " of " << whole.size();
  }
}

TEST(GgufMalformed, TwoThousandMutationsAreReadOrRefusedButNeverCrash) {
  const std::string whole = tests::small_llama().tensor("blk.0.extra.weight", {4}).build();
  // Mutations aim at the structure before the data, which is where they hurt.
  const size_t head = whole.find("output_norm.weight") + 60;
  std::mt19937 random(1);
  size_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = whole;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      char& c = bytes[random() % head];
      switch (random() % 3) {
        case 0:
          c = static_cast<char>(random());
          break;
        case 1:
          c = static_cast<char>(c ^ (1 << (random() % 8)));
          break;
        default:
          c = static_cast<char>(random() % 2 ? 0xFF : 0);
          break;
      }
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    try {
      const LoadedGguf loaded(bytes);
      model::find_problems(loaded.file);
      for (const model::Tensor& t : loaded.file.tensors()) {
        ASSERT_LE(t.data + t.bytes(), loaded.bytes.data() + loaded.bytes.size());
      }
    } catch (const Error& error) {
      ASSERT_EQ(ExitCode::kBadModel, error.code());
      ++refused;
    }
  }
  EXPECT_GT(refused, 200U);
  EXPECT_LT(refused, 2000U);
}

}  // namespace
