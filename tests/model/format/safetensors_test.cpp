#include "model/format/safetensors.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/peak.h"
#include "tests/support/safetensors_bytes.h"

namespace {

using fulgurite::Error;
using nlohmann::json;
using tests::safetensors_file;
using tests::SafetensorsBytes;

std::vector<std::byte> bytes_of(const std::string& content) {
  const auto* p = reinterpret_cast<const std::byte*>(content.data());
  return {p, p + content.size()};
}

std::string refusal(const std::string& content) {
  const std::vector<std::byte> bytes = bytes_of(content);
  try {
    model::parse_safetensors(bytes, "w.safetensors");
  } catch (const Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    EXPECT_CONTAINS(error.what(), "w.safetensors: ");
    EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
    return error.what();
  }
  return "(accepted)";
}

// One tensor's description in a header of its own, over so many bytes of data.
std::string one(const std::string& info, size_t data = 16) {
  return safetensors_file(R"({"t": )" + info + "}", std::string(data, '\0'));
}

TEST(Safetensors, TensorsComeInTheOrderOfTheirData) {
  SafetensorsBytes s;
  s.f32("z", {2, 3}, 1.0F).raw("a", "BF16", {2}, "abcd").raw("none", "I64", {0, 4}, "");
  s.raw("scalar", "U8", {}, "x");
  s.header["__metadata__"] = {{"format", "pt"}};
  const std::vector<std::byte> bytes = bytes_of(s.build());
  const auto tensors = model::parse_safetensors(bytes, "w");
  ASSERT_EQ(4U, tensors.size());
  EXPECT_EQ("z", tensors[0].name);
  EXPECT_EQ((std::vector<int64_t>{2, 3}), tensors[0].shape);
  float last = 0.0F;
  std::memcpy(&last, tensors[0].data.data() + 20, 4);
  EXPECT_EQ(6.0F, last);
  EXPECT_EQ("BF16", tensors[1].dtype);
  EXPECT_EQ(std::byte{'d'}, tensors[1].data[3]);
  EXPECT_TRUE(tensors[2].data.empty());
  EXPECT_TRUE(tensors[3].shape.empty());
}

TEST(Safetensors, AHeaderMayBePaddedWithSpacesAndHoldNothing) {
  EXPECT_EQ("(accepted)", refusal(safetensors_file("{}      ", "")));
}

TEST(Safetensors, Lengths) {
  EXPECT_CONTAINS(refusal(""), "too short");
  EXPECT_CONTAINS(refusal("1234567"), "too short");
  std::string bytes = safetensors_file("{}", "");
  EXPECT_CONTAINS(refusal(bytes.substr(0, 9)), "a header of 2 bytes, but only 1 follow");
  bytes[3] = 0x06;  // 100,663,298
  EXPECT_CONTAINS(refusal(bytes), "claims a header of 100663298 bytes");
  EXPECT_CONTAINS(refusal(std::string(8, '\xFF') + "{}"), "18446744073709551615");
  EXPECT_CONTAINS(refusal(safetensors_file("", "")), "does not begin with '{'");
  EXPECT_CONTAINS(refusal("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull");
}

TEST(Safetensors, HeadersThatAreNoJson) {
  EXPECT_CONTAINS(refusal(safetensors_file("[]", "")), "does not begin with '{'");
  EXPECT_CONTAINS(refusal(safetensors_file(" {}", "")), "does not begin with '{'");
  EXPECT_CONTAINS(refusal(safetensors_file("{\"a\": ", "")), "not valid JSON at byte");
  EXPECT_CONTAINS(refusal(safetensors_file("{} {}", "")), "not valid JSON at byte");
  EXPECT_CONTAINS(refusal(safetensors_file("{\"a\xFF\": 1}", "")), "not valid JSON at byte");
  EXPECT_CONTAINS(refusal(safetensors_file("{\"\\ud800\": 1}", "")), "not valid JSON at byte");
  EXPECT_CONTAINS(refusal(safetensors_file("{\"a\": NaN}", "")), "not valid JSON at byte");
  EXPECT_CONTAINS(refusal(safetensors_file("{\"a\":" + std::string(1 << 20, '['), "")),
                  "nested more than 64 deep");
}

TEST(Safetensors, KeysThatComeTwice) {
  const std::string t = R"({"dtype": "U8", "shape": [1], "data_offsets": [0, 1]})";
  EXPECT_CONTAINS(refusal(safetensors_file(R"({"t\n": )" + t + R"(, "t\n": )" + t + "}", "x")),
                  "the key 't\\x0A' comes twice");
  EXPECT_CONTAINS(
      refusal(one(R"({"dtype": "U8", "dtype": "U8", "shape": [1], "data_offsets": [0, 1]})", 1)),
      "'dtype' comes twice");
}

TEST(Safetensors, DescriptionsThatAreNone) {
  for (const char* info : {"null", "3", "\"F32\"", "[]", "{}", R"({"dtype": "F32"})",
                           R"({"dtype": "F32", "shape": [4], "offsets": [0, 16]})",
                           R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16], "x": 1})"}) {
    EXPECT_CONTAINS(refusal(one(info)), "tensor 't'");
  }
  EXPECT_CONTAINS(refusal(one(R"({"dtype": "F33", "shape": [4], "data_offsets": [0, 16]})")),
                  "unknown type 'F33'");
  EXPECT_CONTAINS(refusal(one(R"({"dtype": 32, "shape": [4], "data_offsets": [0, 16]})")),
                  "unknown type ''");
  for (const char* metadata : {"1", "[]", "{\"a\": 1}", "{\"a\": {}}"}) {
    EXPECT_CONTAINS(
        refusal(safetensors_file(R"({"__metadata__": )" + std::string(metadata) + "}", "")),
        "__metadata__ is no object of texts");
  }
}

TEST(Safetensors, Shapes) {
  const auto shaped = [](const std::string& shape) {
    return refusal(one(R"({"dtype": "F32", "shape": )" + shape + R"(, "data_offsets": [0, 16]})"));
  };
  EXPECT_EQ("(accepted)", shaped("[2, 2]"));
  EXPECT_CONTAINS(shaped("[3]"), "takes 16 bytes, but its shape asks for 12");
  EXPECT_CONTAINS(shaped("[5]"), "asks for 20");
  EXPECT_CONTAINS(shaped("[0]"), "asks for 0");
  EXPECT_CONTAINS(shaped("[-4]"), "no whole number");
  EXPECT_CONTAINS(shaped("[4.0]"), "no whole number");
  EXPECT_CONTAINS(shaped("[\"4\"]"), "no whole number");
  EXPECT_CONTAINS(shaped("[18446744073709551615]"), "no whole number");
  EXPECT_CONTAINS(shaped("[1e30]"), "no whole number");
  EXPECT_CONTAINS(shaped("[4294967296, 4294967296]"), "more bits than 64");
  EXPECT_CONTAINS(shaped("[4611686018427387905, 4]"), "more bits than 64");
  EXPECT_CONTAINS(shaped("4"), "no array for its shape");
}

TEST(Safetensors, HalfBytes) {
  EXPECT_EQ("(accepted)",
            refusal(one(R"({"dtype": "F4", "shape": [4], "data_offsets": [0, 2]})", 2)));
  EXPECT_CONTAINS(refusal(one(R"({"dtype": "F4", "shape": [3], "data_offsets": [0, 1]})", 1)),
                  "its shape asks for");
}

TEST(Safetensors, Offsets) {
  const auto at = [](const std::string& offsets) {
    return refusal(one(R"({"dtype": "F32", "shape": [4], "data_offsets": )" + offsets + "}"));
  };
  EXPECT_EQ("(accepted)", at("[0, 16]"));
  EXPECT_CONTAINS(at("[16, 0]"), "lies from byte 16 to 0");
  EXPECT_CONTAINS(at("[4, 20]"), "lies from byte 4 to 20 of the data, which has 16");
  EXPECT_CONTAINS(at("[0, 18446744073709551615]"), "lies from byte 0");
  EXPECT_CONTAINS(at("[-16, 0]"), "no pair of whole numbers");
  EXPECT_CONTAINS(at("[0]"), "no pair of whole numbers");
  EXPECT_CONTAINS(at("[0, 8, 16]"), "no pair of whole numbers");
  EXPECT_CONTAINS(at("[0.0, 16.0]"), "no pair of whole numbers");
  EXPECT_CONTAINS(at("null"), "no pair of whole numbers");
}

TEST(Safetensors, OverlapsAndHoles) {
  const auto two = [](int a, int b, int c, int d, size_t data) {
    const auto info = [](int from, int to) {
      return json{{"dtype", "U8"}, {"shape", {to - from}}, {"data_offsets", {from, to}}};
    };
    const json header = {{"a", info(a, b)}, {"b", info(c, d)}};
    return refusal(safetensors_file(header.dump(), std::string(data, '\0')));
  };
  EXPECT_EQ("(accepted)", two(0, 4, 4, 8, 8));
  EXPECT_EQ("(accepted)", two(4, 8, 0, 4, 8));
  EXPECT_EQ("(accepted)", two(0, 0, 0, 8, 8));
  EXPECT_CONTAINS(two(0, 4, 3, 8, 8), "overlaps another one");
  EXPECT_CONTAINS(two(0, 8, 0, 8, 8), "overlaps another one");
  EXPECT_CONTAINS(two(0, 8, 2, 4, 8), "overlaps another one");
  EXPECT_CONTAINS(two(0, 4, 5, 8, 8), "the 1 bytes before tensor 'b'");
  EXPECT_CONTAINS(two(1, 4, 4, 8, 8), "the 1 bytes before tensor 'a'");
  EXPECT_CONTAINS(two(0, 4, 4, 8, 9), "the last 1 bytes");
}

// ---- memory

std::string header_of(const std::string& one_entry, size_t n, const std::string& more = {}) {
  std::string header = "{" + more;
  for (size_t i = 0; i < n; ++i) header += (i ? ",\"" : "\"") + std::to_string(i) + one_entry;
  return safetensors_file(header + "}", "");
}

constexpr const char* kNothing = R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";

TEST(Safetensors, AFileMayHave65536Tensors) {
  EXPECT_EQ("(accepted)", refusal(header_of(kNothing, 65536)));
  EXPECT_CONTAINS(refusal(header_of(kNothing, 65537)), "more than 65536 tensors");
}

// Each lies in memory once, as a mapped file would.
TEST(Safetensors, HeadersMadeToExhaustMemoryAreRefusedInLittleOfIt) {
  const auto expect_little = [](const char* name, const std::string& content) {
    const auto* p = reinterpret_cast<const std::byte*>(content.data());
    const auto parse = [&] {
      EXPECT_THROW(model::parse_safetensors({p, content.size()}, "w"), Error) << name;
    };
    EXPECT_LT(tests::seconds(parse), tests::kSanitized ? 10.0 : 1.0) << name;
    if (tests::kSanitized) return;
    EXPECT_LT(tests::peak_bytes(parse), tests::kMostPeakBytes) << name;
  };
  std::string zeros = R"({"t":[0)";
  for (int i = 0; i < 7'000'000; ++i) zeros += ",0";
  expect_little("a description of millions of numbers", safetensors_file(zeros + "]}", ""));
  zeros = {};
  expect_little("a million descriptions without any", header_of("\":{}", 1'000'000));
  expect_little("250,000 empty tensors", header_of(kNothing, 250'000));
  expect_little("a million metadata", header_of("\":\"\"", 1'000'000, R"("__metadata__":{)"));
  std::string name = "{\"";
  name.append(15'000'000, 'n');
  expect_little("a name without an end", safetensors_file(name, ""));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  SafetensorsBytes s;
  const std::string whole = s.f32("a", {4, 3}).f32("b", {7}).build();
  ASSERT_EQ("(accepted)", refusal(whole));
  for (size_t n = 0; n < whole.size(); ++n) {
    ASSERT_NE("(accepted)", refusal(whole.substr(0, n))) << n;
  }
}

TEST(Safetensors, TwentyThousandMutationsOfARealFileAreReadOrRefusedQuickly) {
  REQUIRE_SHARED_DATA();
  const std::string whole =
      tests::read_file(tests::shared_data("models/hf/qwen3-bf16/model.safetensors"));
  uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  std::vector<std::byte> bytes = bytes_of(whole);
  std::mt19937 random(3);
  size_t refused = 0;
  double longest = 0.0;
  for (int i = 0; i < 20000; ++i) {
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const char alphabet[] = "0123456789[]{},:\"-.e\\ \xFF";
      bytes[random() % (header + 8)] = static_cast<std::byte>(alphabet[random() % 23]);
    }
    const auto begin = std::chrono::steady_clock::now();
    try {
      model::parse_safetensors(bytes, "w");
    } catch (const Error&) {
      ++refused;
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    longest = std::max(longest, time.count());
    std::memcpy(bytes.data(), whole.data(), header + 8);
  }
  EXPECT_LT(longest, 1.0);
  EXPECT_GT(refused, 10000U);
}

}  // namespace
