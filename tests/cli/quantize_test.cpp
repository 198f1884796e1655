// `fulgurite quantize IN OUT TYPE`, as a user calls it.
#include "tests/cli/program.h"

namespace cli {
namespace {

constexpr int kUsage = 2;
constexpr int kBadModel = 3;

class QuantizeCommand : public InFolder {};

TEST_F(QuantizeCommand, WritesAModelThatOpensAndSaysHowSmallItIs) {
  const std::string out = in_folder("q8.gguf");
  const Outcome outcome = fulgurite({"quantize", "assets/fulgurite.gguf", out, "q8_0"});
  EXPECT_EQ(0, outcome.exit_code) << outcome.err;
  EXPECT_EQ("", outcome.err);
  EXPECT_EQ(1, line_count(outcome.out));
  EXPECT_CONTAINS(outcome.out, out, "Q8_0", "bits a weight");
  const Outcome inspected = fulgurite({"inspect", out, "--json"});
  EXPECT_EQ(0, inspected.exit_code) << inspected.err;
  EXPECT_CONTAINS(inspected.out, "\"Q8_0\"");
  EXPECT_LT(fs::file_size(out), fs::file_size("assets/fulgurite.gguf"));
}

TEST_F(QuantizeCommand, TheNumberOfThreadsChangesNoByte) {
  const std::string one = in_folder("1.gguf");
  const std::string four = in_folder("4.gguf");
  fulgurite({"quantize", "assets/fulgurite.gguf", one, "Q4_K", "-t", "1"});
  fulgurite({"quantize", "assets/fulgurite.gguf", four, "Q4_K", "-t", "4"});
  ASSERT_TRUE(fs::exists(one));
  EXPECT_EQ(read_file(one), read_file(four));
}

TEST_F(QuantizeCommand, WhatIsReadIsNeverWritten) {
  const std::string model = in_folder("own.gguf");
  const std::string part = in_folder("other.gguf.part");
  const std::string link = in_folder("link.gguf");
  fs::copy_file("assets/fulgurite.gguf", model);
  fs::copy_file("assets/fulgurite.gguf", part);
  fs::create_symlink(model, link);
  const std::string bytes = read_file(model);
  expect_refusal(fulgurite({"quantize", model, model, "Q8_0"}), kUsage, model);
  expect_refusal(fulgurite({"quantize", model, link, "Q8_0"}), kUsage, link);
  // The output grows under such a name, but not under one that is taken.
  EXPECT_EQ(fulgurite({"quantize", part, in_folder("other.gguf"), "Q8_0"}).exit_code, 0);
  EXPECT_EQ(bytes, read_file(model));
  EXPECT_EQ(bytes, read_file(part));
}

TEST_F(QuantizeCommand, WrongWordsAreUsageErrors) {
  const std::string out = in_folder("m.gguf");
  expect_refusal(fulgurite({"quantize", "assets/fulgurite.gguf", out, "Q3_K"}), kUsage, "Q4_K");
  expect_refusal(fulgurite({"quantize", "assets/fulgurite.gguf", out}), kUsage, "TYPE");
  expect_refusal(fulgurite({"quantize", "assets/fulgurite.gguf"}), kUsage, "OUT");
  expect_refusal(fulgurite({"quantize", in_folder("absent.gguf"), out, "Q8_0"}), kBadModel,
                 "absent.gguf");
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace cli
