// Help, version and words that the program does not know.
#include <set>
#include <sstream>

#include "tests/cli/program.h"

namespace cli {
namespace {

const std::set<std::string> kCommands = {
    "view",     "run",      "record",       "shot", "train",      "eval",
    "inspect",  "bench",    "logits",       "tap",  "taps",       "models",
    "quantize", "tokenize", "bench-render", "lens", "attribution"};

TEST(Words, HelpNamesEveryCommand) {
  const Outcome help = fulgurite({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  expect_plain(help.out);
  // CLI11 writes the heading in capitals from 2.5 on, and breaks long lines.
  size_t list = help.out.find("Subcommands:");
  if (list == std::string::npos) list = help.out.find("SUBCOMMANDS:");
  ASSERT_NE(std::string::npos, list) << help.out;
  std::istringstream lines(help.out.substr(list));
  std::set<std::string> named;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::string word;
    if (line.size() > 2 && line[2] != ' ' && std::istringstream(line) >> word) named.insert(word);
  }
  EXPECT_EQ(kCommands, named);
}

TEST(Words, EveryCommandHasItsOwnHelp) {
  std::vector<std::string> seen;
  for (const std::string& command : kCommands) {
    const Outcome help = fulgurite({command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_GT(line_count(help.out), 3) << command;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), help.out), 0) << command;
    seen.push_back(help.out);
  }
}

TEST(Words, VersionIsOneLine) {
  const Outcome version = fulgurite({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(line_count(version.out), 1);
  EXPECT_NE(version.out.find("0.1.0"), std::string::npos) << version.out;
}

TEST(Words, UnknownOnesAreUsageErrors) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--no-such-flag"},
      {"run", "--no-such-flag"},
      {"run", "-p", "A", "-n", "many"},
      {"run", "-p", "A", "--temp", "-1"},
      {"record", "-p", "A", "--window-size", "wide", "-o", "never.mp4"},
      {"record", "-p", "A", "--window-size", "0x0", "-o", "never.mp4"},
      {"shot", "-p", "A", "--window-size", "99999999x99999999", "-o", "never.png"},
      {"shot", "--structure", "no-such-model", "-o", "never.png"},
      {"shot", "--structure", "gpt2", "-m", "x.gguf", "-o", "never.png"},
      {"shot", "--synthetic", "-o", "never.png"},
      {"no-such-command"},
  };
  for (const std::vector<std::string>& words : wrong) {
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(outcome.exit_code, 2) << words.front() << ' ' << words.back() << ": " << outcome.err;
    EXPECT_NE(outcome.err, "") << words.back();
    EXPECT_EQ(outcome.out, "") << words.back();
  }
  EXPECT_FALSE(fs::exists("never.mp4"));
}

TEST(Words, WhatMayHaveBeenMeantIsSaid) {
  expect_refusal(fulgurite({"modles"}), 2, "did you mean models?");
  expect_refusal(fulgurite({"run", "--tempp", "1"}), 2, "did you mean --temp?");
  expect_refusal(fulgurite({"inspect", "--jsno"}), 2, "did you mean --json?");
  expect_refusal(fulgurite({"run", "ollama:x"}), 2, "a text is given with -p, a model with -m");
  EXPECT_EQ(std::string::npos, fulgurite({"run", "--no-such-flag"}).err.find("did you mean"));
}

TEST(Words, HelpAndVersionAsOthersCallThem) {
  EXPECT_EQ(fulgurite({"--help"}).out, fulgurite({"help"}).out);
  EXPECT_EQ(fulgurite({"run", "--help"}).out, fulgurite({"help", "run"}).out);
  for (const char* word : {"version", "-V"})
    EXPECT_EQ(fulgurite({"--version"}).out, fulgurite({word}).out);
}

TEST(Words, WithoutADisplayViewPointsToHeadless) {
  expect_refusal(fulgurite({"view"}), 1, "--headless");
}

}  // namespace
}  // namespace cli
