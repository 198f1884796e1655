// Files made to break a reader: every class that llama.cpp's tests/test-gguf.cpp enumerates, by
// its name there, what published advisories describe, every truncation and many mutations. Each
// must be refused with one line, within a second and 64 MB.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

#include "model/error.h"
#include "model/format/gguf.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/peak.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::ModelFile;
using tests::GgufBytes;
using tests::kMostPeakBytes;
using tests::kSanitized;
using tests::le;
using tests::peak_bytes;
using tests::seconds;
using tests::small_llama;
using tests::text;

constexpr int64_t kHuge = int64_t{1} << 62;

// Why the bytes cannot be run: the Error of parse_gguf, else the first problem. Empty: they can.
std::string reason(std::span<const std::byte> bytes) {
  try {
    const ModelFile file = model::parse_gguf(bytes, "test.gguf");
    for (const model::Tensor& t : file.tensors()) {
      EXPECT_LE(t.data + t.bytes(), bytes.data() + bytes.size());
    }
    const std::vector<std::string> problems = model::find_problems(file);
    return problems.empty() ? "" : problems.front();
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kBadModel, error.code());
    return error.what();
  }
}
std::string reason(const std::string& content) {
  return reason(tests::LoadedGguf::as_bytes(content));
}

struct Case {
  const char* name;
  std::string bytes;
};

void expect_refused(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    std::string why;
    const double time = seconds([&] { why = reason(c.bytes); });
    EXPECT_NE("", why) << c.name;
    EXPECT_EQ(std::string::npos, why.find('\n')) << c.name;
    EXPECT_LT(time, 1.0) << c.name;
  }
  if (kSanitized) return;
  const size_t peak = peak_bytes([&] {
    for (const Case& c : cases) reason(c.bytes);
  });
  EXPECT_LT(peak, kMostPeakBytes);
}

// ---- by the names of llama.cpp's test

std::vector<Case> header_classes() {
  const auto with = [](const std::function<void(GgufBytes&)>& change) {
    GgufBytes g = small_llama();
    change(g);
    return g.build();
  };
  return {
      {"HEADER_BAD_MAGIC", with([](auto& g) { g.magic = "FUGG"; })},
      {"HEADER_BAD_VERSION_0", with([](auto& g) { g.version = 0; })},
      {"HEADER_BAD_VERSION_1", with([](auto& g) { g.version = 1; })},
      {"HEADER_BAD_VERSION_FUTURE", with([](auto& g) { g.version = 4; })},
      {"HEADER_BAD_N_TENSORS", with([](auto& g) { g.extra_tensors = ~uint64_t{0} / 2; })},
      {"HEADER_BAD_N_KV", with([](auto& g) { g.extra_kv = ~uint64_t{0} / 2; })},
      {"HEADER_EMPTY (nothing to run)", GgufBytes().build()},
  };
}

std::vector<Case> kv_classes() {
  GgufBytes twice = small_llama();
  twice.allow_duplicates = true;
  twice.u32("llama.block_count", 2);
  return {
      {"KV_BAD_KEY_SIZE", small_llama().u32("", 1).build()},
      {"KV_BAD_TYPE", small_llama().raw("k", 13, le<uint64_t>(0)).build()},
      {"KV_BAD_VALUE_SIZE", small_llama().raw("k", 8, le<uint64_t>(kHuge) + "x").build()},
      {"KV_DUPLICATE_KEY", twice.build()},
      {"KV_BAD_ALIGN", small_llama().u32("general.alignment", 13).build()},
  };
}

// The small model laid out for one alignment, claiming another.
std::string misaligned(size_t laid_out, uint32_t claimed) {
  GgufBytes g;
  g.alignment = laid_out;
  g.u32("general.alignment", claimed).tensor("a", {3}).tensor("b", {3}).tensor("c", {3});
  return g.build();
}

std::vector<Case> tensor_classes() {
  const auto small = [](std::vector<int64_t> ne, uint32_t type = 0) {
    return small_llama().tensor("t", std::move(ne), type, 64).build();
  };
  GgufBytes far = small_llama();
  far.tensors.back().offset += 32;
  GgufBytes odd = small_llama();
  odd.tensors.back().offset += 1;
  std::string cut = small_llama().build();
  cut.pop_back();
  return {
      {"TENSORS_BAD_NAME_SIZE", small_llama().tensor(std::string(64, 'n'), {1}).build()},
      {"TENSORS_BAD_N_DIMS", small({1, 1, 1, 1, 1})},
      {"TENSORS_BAD_SHAPE", small({4, -1})},
      {"TENSORS_NE_TOO_BIG", small({kHuge, 4})},
      {"TENSORS_NBYTES_TOO_BIG", small({kHuge})},
      {"TENSORS_BAD_TYPE", small({1}, 41)},
      {"TENSORS_BAD_OFFSET", far.build()},
      {"TENSORS_DUPLICATE_NAME", small_llama().tensor("output_norm.weight", {16}).build()},
      {"TENSORS_BAD_ALIGN", small_llama().u32("general.alignment", 37).build()},
      {"TENSORS_INCONSISTENT_ALIGN", misaligned(32, 64)},
      {"TENSORS_INCONSISTENT_ALIGN, the other way", misaligned(64, 32)},
      {"DATA_NOT_ENOUGH_DATA", cut},
      {"DATA_BAD_ALIGN", odd.build()},
      {"DATA_INCONSISTENT_ALIGN", misaligned(128, 32)},
  };
}

TEST(GgufHostile, EveryClassOfTheReferenceTestIsRefused) {
  expect_refused(header_classes());
  expect_refused(kv_classes());
  expect_refused(tensor_classes());
}

TEST(GgufHostile, TheClassesThatSucceedThereSucceedHere) {
  EXPECT_EQ("", reason(small_llama().build())) << "KV_, TENSORS_, DATA_SUCCESS";
  GgufBytes custom = small_llama();
  custom.alignment = 64;
  const std::vector<GgufBytes::Info> tensors = std::exchange(custom.tensors, {});
  for (const GgufBytes::Info& t : tensors) custom.tensor(t.name, t.ne);
  EXPECT_EQ("", reason(custom.u32("general.alignment", 64).build())) << "CUSTOM_ALIGN";
}

// ---- after published advisories

TEST(GgufHostile, HeadersThatPromiseMoreThanTheyHold) {
  // CVE-2024-21825, -21836, -23496, -23605 (TALOS-2024-1912 ...), CVE-2024-39720, CVE-2025-53630
  const auto head = [](uint64_t tensors, uint64_t kv) {
    return "GGUF" + le<uint32_t>(3) + le(tensors) + le(kv);
  };
  const uint64_t most = ~uint64_t{0};
  const auto array = [&](uint32_t type, uint64_t n) {
    return head(0, 1) + text("k") + le<uint32_t>(9) + le(type) + le(n) + std::string(16, '\0');
  };
  std::vector<Case> bombs = {
      {"the magic alone", "GGUF"},
      {"magic and version", "GGUF" + le<uint32_t>(3)},
      {"half of the counts", "GGUF" + le<uint32_t>(3) + le(most)},
      {"all counts at their most", head(most, most)},
      {"tensors that wrap when sized", head(most / 80 + 2, 0) + std::string(64, '\0')},
      {"keys that wrap when sized", head(0, most / 40 + 2) + std::string(64, '\0')},
      {"a key of 2^64 - 1 bytes", head(0, 1) + le(most) + std::string(64, 'k')},
      {"a key of 2^63 bytes", head(0, 1) + le(uint64_t{1} << 63) + std::string(64, 'k')},
      {"a text of 2^64 - 1 bytes", head(0, 1) + text("k") + le<uint32_t>(8) + le(most)},
      {"2^61 texts", array(8, uint64_t{1} << 61)},
      {"2^63 words", array(2, uint64_t{1} << 63)},
      {"2^62 floats", array(6, uint64_t{1} << 62)},
      {"2^61 doubles", array(12, uint64_t{1} << 61)},
      {"a billion bytes", array(0, 1'000'000'000)},
      {"arrays in arrays", array(9, 1)},
      {"a tensor's name of 2^64 - 1 bytes", head(1, 0) + le(most) + std::string(64, 'n')},
      {"2^32 - 1 dimensions", head(1, 0) + text("t") + le(~uint32_t{0}) + std::string(64, '\1')},
  };
  for (const Case& bomb : bombs) EXPECT_LE(bomb.bytes.size(), 160U) << bomb.name;
  expect_refused(bombs);
}

TEST(GgufHostile, ProductsAndSumsThatOverflow) {
  const auto tensor = [](std::vector<int64_t> ne, uint32_t type = 0) {
    return GgufBytes().tensor("t", std::move(ne), type, 64).build();
  };
  GgufBytes sum;  // CVE-2025-53630: padded sizes that wrap when they are added
  sum.tensor("a", {kHuge / 4 - 8}, 0, 64).tensor("b", {kHuge / 4 - 8}, 0, 64);
  sum.tensors[1].offset = uint64_t{1} << 62;
  GgufBytes wrap;
  wrap.tensor("a", {8}).tensor("b", {8});
  wrap.tensors[1].offset = ~uint64_t{0} - 31;
  GgufBytes padding;
  padding.u32("general.alignment", 1U << 31).tensor("a", {8});
  expect_refused({
      {"elements wrap to zero", tensor({int64_t{1} << 32, int64_t{1} << 32})},
      {"elements wrap to a few", tensor({(int64_t{1} << 32) + 1, int64_t{1} << 32})},
      {"elements wrap below zero", tensor({INT64_MAX, 2})},
      {"bytes wrap", tensor({kHuge})},
      {"bytes of blocks wrap", tensor({kHuge, 1}, 15)},
      {"a size of -1", tensor({-1})},
      {"a size of -2^63", tensor({INT64_MIN})},
      {"two negative sizes", tensor({-4, -4})},
      {"no elements, first", tensor({0, 4})},
      {"no elements, last", tensor({4, 4, 4, 0})},
      {"a type without blocks", tensor({4}, 4)},
      {"sizes that wrap in sum", sum.build()},
      {"an offset that wraps", wrap.build()},
      {"a padding of 2 GB", padding.build()},
      {"an alignment of 0", GgufBytes().u32("general.alignment", 0).build()},
      {"an alignment of 2^33",
       GgufBytes().raw("general.alignment", 10, le(uint64_t{1} << 33)).build()},
  });
}

TEST(GgufHostile, KnownKeysOfTheWrongTypeOrSize) {
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  const std::string eps = "llama.attention.layer_norm_rms_epsilon";
  expect_refused({
      {"architecture is a number", small_llama().u32("general.architecture", 1).build()},
      {"architecture is missing", small_llama().remove("general.architecture").build()},
      {"architecture is empty", small_llama().string("general.architecture", "").build()},
      {"architecture of 60 KB",
       small_llama().string("general.architecture", std::string(60000, '\n')).build()},
      {"alignment is a list", small_llama().array<uint32_t>("general.alignment", 4, {32}).build()},
      {"the file's type is a text", small_llama().string("general.file_type", "1").build()},
      {"a text is the quantisation's version",
       small_llama().string("general.quantization_version", "2").build()},
      {"the pre-tokenizer is a number", small_llama().u32("tokenizer.ggml.pre", 1).build()},
      {"the chat template is a number", small_llama().u32("tokenizer.chat_template", 1).build()},
      {"no merges", small_llama().remove("tokenizer.ggml.merges").build()},
      {"layers are a text", small_llama().string("llama.block_count", "2").build()},
      {"no layers", small_llama().u32("llama.block_count", 0).build()},
      {"2^32 - 1 layers", small_llama().u32("llama.block_count", ~0U).build()},
      {"-1 layers", small_llama().i32("llama.block_count", -1).build()},
      {"no width", small_llama().u32("llama.embedding_length", 0).build()},
      {"no heads", small_llama().u32("llama.attention.head_count", 0).build()},
      {"2^32 - 1 heads", small_llama().u32("llama.attention.head_count", ~0U).build()},
      {"no KV heads", small_llama().u32("llama.attention.head_count_kv", 0).build()},
      {"three KV heads for four", small_llama().u32("llama.attention.head_count_kv", 3).build()},
      {"a context of -1", small_llama().i32("llama.context_length", -1).build()},
      {"heads of no width", small_llama().u32("llama.attention.key_length", 0).build()},
      {"more rotated than there is", small_llama().u32("llama.rope.dimension_count", 64).build()},
      {"an epsilon that is no number", small_llama().f32(eps, nan).build()},
      {"a negative epsilon", small_llama().f32(eps, -1.0F).build()},
      {"an infinite RoPE base", small_llama().f32("llama.rope.freq_base", INFINITY).build()},
      {"a width that is not the tensors'", small_llama().u32("llama.embedding_length", 24).build()},
      {"neurons that are not the tensors'",
       small_llama().u32("llama.feed_forward_length", 1U << 24).build()},
      {"a text as a number of experts", small_llama().string("llama.expert_count", "8").build()},
  });
}

GgufBytes small_spm() {
  GgufBytes g = small_llama();
  g.string("tokenizer.ggml.model", "llama").remove("tokenizer.ggml.merges");
  g.array<float>("tokenizer.ggml.scores", 6, std::vector<float>(256, 0.0F));
  return g.array<int32_t>("tokenizer.ggml.token_type", 5, std::vector<int32_t>(256, 1));
}

TEST(GgufHostile, VocabulariesThatContradictThemselves) {
  const std::string ggml = "tokenizer.ggml.";
  expect_refused({
      {"tokens are missing", small_llama().remove(ggml + "tokens").build()},
      {"no tokens", small_llama().strings(ggml + "tokens", {}).build()},
      {"tokens are numbers", small_llama().array<uint32_t>(ggml + "tokens", 4, {1, 2}).build()},
      {"tokens are one text", small_llama().string(ggml + "tokens", "abc").build()},
      {"fewer tokens than rows", small_llama().strings(ggml + "tokens", {"a"}).build()},
      {"types are fewer", small_llama().array<int32_t>(ggml + "token_type", 5, {1}).build()},
      {"types are texts", small_llama().strings(ggml + "token_type", {"1"}).build()},
      {"types are unknown",
       small_llama()
           .array<int32_t>(ggml + "token_type", 5, std::vector<int32_t>(256, 1 << 30))
           .build()},
      {"scores are fewer", small_spm().array<float>(ggml + "scores", 6, {0.0F}).build()},
      {"scores are texts", small_spm().strings(ggml + "scores", {"0"}).build()},
      {"merges are numbers", small_llama().array<uint32_t>(ggml + "merges", 4, {1}).build()},
      {"BOS is beyond the tokens", small_llama().u32(ggml + "bos_token_id", 256).build()},
      {"EOS is 2^32 - 1", small_llama().u32(ggml + "eos_token_id", ~0U).build()},
      {"EOS is -1", small_llama().i32(ggml + "eos_token_id", -1).build()},
      {"BOS is a text", small_llama().string(ggml + "bos_token_id", "<s>").build()},
      {"add_bos_token is a number",
       small_llama().u32(ggml + "bos_token_id", 1).u32(ggml + "add_bos_token", 1).build()},
      {"another count of tokens", small_llama().u32("llama.vocab_size", 255).build()},
      {"the model is a number", small_llama().u32(ggml + "model", 1).build()},
      {"the model is unknown", small_llama().string(ggml + "model", "\x1B[31m").build()},
  });
}

// ---- memory

TEST(GgufHostile, SmallFilesTakeLittleMemory) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  const uint32_t n = 1'000'000;
  const auto filled = [&](uint32_t type, uint64_t count) {
    return GgufBytes().raw("k", 9, le(type) + le(count) + std::string(n, '\0')).build();
  };
  for (const auto& [type, size] : {std::pair{0U, 1U}, {1U, 1U}, {2U, 2U}, {7U, 1U}, {8U, 8U}}) {
    const std::string bytes = filled(type, n / size);
    EXPECT_LT(peak_bytes([&] { reason(bytes); }), kMostPeakBytes) << "elements of type " << type;
  }
  for (const size_t length : {size_t{8}, size_t{40}}) {
    GgufBytes keys;
    keys.allow_duplicates = true;
    for (uint64_t i = 0; i < 65536; ++i) {
      keys.raw(le(i) + std::string(length - sizeof i, 'k'), 7, le<uint8_t>(1));
    }
    const std::string bytes = keys.build();
    EXPECT_LT(peak_bytes([&] { reason(bytes); }), kMostPeakBytes) << "keys of " << length;
  }
}

TEST(GgufHostile, AVocabularyOf200000TokensWithHalfAMillionMergesIsRead) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 200'000; ++i) tokens.push_back("t" + std::to_string(i));
  std::vector<std::string> merges;
  for (int i = 0; i < 500'000; ++i) merges.push_back("abcde " + std::to_string(i));
  const std::string bytes = small_llama()
                                .strings("tokenizer.ggml.tokens", tokens)
                                .strings("tokenizer.ggml.merges", merges)
                                .build();
  const std::vector<std::byte> held = tests::LoadedGguf::as_bytes(bytes);
  const ModelFile file = model::parse_gguf(held, "test.gguf");
  EXPECT_EQ(500'000U, file.get_strings("tokenizer.ggml.merges")->size());
}

// As they lie in a mapped file, once.
TEST(GgufHostile, LargeHeadersTakeNoMoreMemoryThanTheyMay) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  const auto expect_little = [](const char* name, const std::string& content) {
    const auto* p = reinterpret_cast<const std::byte*>(content.data());
    std::string why;
    const auto parse = [&] { why = reason(std::span(p, content.size())); };
    EXPECT_LT(peak_bytes(parse), kMostPeakBytes) << name;
    EXPECT_LT(seconds(parse), 1.0) << name;
    EXPECT_NE("", why) << name;
  };
  const auto head = [](uint64_t tensors, uint64_t kv) {
    return "GGUF" + le<uint32_t>(3) + le(tensors) + le(kv);
  };
  std::string bytes = head(0, 2) + text("k") + le<uint32_t>(8) + le<uint64_t>(22'000'000);
  bytes.append(22'000'000, 't');
  expect_little("a text of 22 MB", bytes);
  bytes = head(0, 2) + text("k") + le<uint32_t>(9) + le<uint32_t>(8) + le(uint64_t{900'000});
  for (int i = 0; i < 900'000; ++i) bytes += text("a text of 20 bytes..");
  expect_little("900,000 texts", bytes);
  bytes = head(65537, 0);
  for (uint64_t i = 0; i < 65537; ++i) {
    bytes += text(std::to_string(i)) + le<uint32_t>(1) + le<int64_t>(8) + le<uint32_t>(0) +
             le<uint64_t>(32 * i);
  }
  expect_little("65,537 tensors", bytes);
  bytes = head(0, 200'000);
  for (int i = 0; i < 200'000; ++i) {
    bytes += text("a key of the number " + std::to_string(i)) + le<uint32_t>(7) + '\1';
  }
  expect_little("200,000 keys", bytes);
}

TEST(GgufHostile, MetadataThatWouldGrowWithoutMeasureIsRefused) {
  const uint64_t n = 20'000'000;
  const std::string bytes =
      GgufBytes().raw("k", 9, le<uint32_t>(0) + le(n) + std::string(n, '\0')).build();
  EXPECT_CONTAINS(reason(bytes), "would take more memory");
}

// A file of many gigabytes that holds nothing but holes may not take more than others.
TEST(GgufHostile, AnApparentSizeBuysNoMemory) {
  const tests::TempFolder folder;
  const std::string path = folder.file("sparse.gguf");
  const uint64_t n = 5'000'000;
  std::ofstream(path, std::ios::binary) << GgufBytes().raw("k", 9, le<uint32_t>(8) + le(n)).build();
  std::error_code error;
  std::filesystem::resize_file(path, uint64_t{1} << 36, error);
  if (error) GTEST_SKIP() << "no such files here: " << error.message();
  try {
    model::open_gguf(path);
    ADD_FAILURE() << "accepted";
  } catch (const fulgurite::Error& e) {
    EXPECT_CONTAINS(e.what(), "would take more memory");
  }
}

// ---- every truncation, many mutations

TEST(GgufHostile, EveryTruncationOfARealFileIsRefusedWithinSeconds) {
  const std::string whole = tests::read_file(tests::data("models/llama-gqa-f16.gguf"));
  const std::vector<std::byte> bytes = tests::LoadedGguf::as_bytes(whole);
  const double time = seconds([&] {
    for (size_t n = 0; n < bytes.size(); ++n) {
      try {
        model::parse_gguf({bytes.data(), n}, "test.gguf");
        FAIL() << n << " of " << bytes.size() << " bytes were accepted";
      } catch (const Error& error) {
        ASSERT_EQ(ExitCode::kBadModel, error.code());
      }
    }
  });
  EXPECT_LT(time, kSanitized ? 300.0 : 30.0);
}

// Changes up to four bytes of the structure, mostly to values that hurt.
void mutate(std::vector<std::byte>& bytes, size_t head, std::mt19937& random) {
  for (unsigned n = 1 + random() % 4; n > 0; --n) {
    std::byte& b = bytes[random() % head];
    switch (random() % 4) {
      case 0:
        b = static_cast<std::byte>(random());
        break;
      case 1:
        b ^= static_cast<std::byte>(1U << (random() % 8));
        break;
      case 2:
        b = std::byte{0};
        break;
      default:
        b = std::byte{0xFF};
        break;
    }
  }
}

TEST(GgufHostile, TwentyThousandMutationsOfRealFilesAreReadOrRefusedQuickly) {
  std::vector<std::filesystem::path> paths = {tests::data("models/llama-gqa-f16.gguf")};
  if (std::filesystem::exists(tests::shared_data())) {
    for (const char* name : {"gemma2", "gpt2", "qwen3moe", "phi3", "llama-gqa-q8_0"}) {
      paths.push_back(tests::shared_data("models/synth/" + std::string(name) + ".gguf"));
    }
  }
  std::mt19937 random(7);
  size_t refused = 0;
  double longest = 0.0;
  const size_t each = 20000 / paths.size() + 1;
  for (const std::filesystem::path& path : paths) {
    const std::string content = tests::read_file(path);
    const std::vector<std::byte> whole = tests::LoadedGguf::as_bytes(content);
    const size_t head = content.rfind("output_norm.weight") + 60;
    std::vector<std::byte> bytes = whole;
    for (size_t i = 0; i < each; ++i) {
      mutate(bytes, head, random);
      const size_t n = random() % 8 == 0 ? random() % bytes.size() : bytes.size();
      longest = std::max(longest, seconds([&] { refused += !reason({bytes.data(), n}).empty(); }));
      std::copy_n(whole.begin(), head, bytes.begin());
    }
  }
  EXPECT_LT(longest, 1.0);
  EXPECT_GT(refused, 2000U);
}

}  // namespace
