// The commands that need no screen, from words to text: run, eval, inspect, train.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/support/in_time.h"
#include "tests/support/npy_file.h"

namespace cli {
namespace {

using nlohmann::json;

std::string generate(const std::string& seed, std::vector<std::string> more = {}) {
  std::vector<std::string> words = {"run", "-p", "ROMEO:", "-n", "60", "--seed", seed};
  words.insert(words.end(), more.begin(), more.end());
  const Outcome outcome = fulgurite(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_plain(outcome.out);
  expect_plain(outcome.err);
  return outcome.out;
}

TEST(Run, SameSeedSameText) {
  const std::string text = generate("1");
  EXPECT_GE(text.size(), 60u);
  EXPECT_EQ(generate("1"), text);
  EXPECT_NE(generate("2"), text);
}

TEST(Run, ThreadsDoNotChangeTheText) {
  EXPECT_EQ(generate("1", {"-t", "1"}), generate("1", {"-t", "2"}));
}

TEST(Run, GreedyNeedsNoSeed) {
  EXPECT_EQ(generate("1", {"--temp", "0"}), generate("2", {"--temp", "0"}));
}

// A token's text is data: bytes for a file, but no escape sequences for a terminal.
TEST(Run, OnATerminalATextGivesNoOrders) {
  const std::string text = "a\x1B]0;title\x07\tb\x7F\xC2\x9B!\r\n.";
  const std::vector<std::string> words = {"run", "-p", text, "-n", "1", "--seed", "1"};
  EXPECT_EQ(0U, fulgurite(words).out.find(text));
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(0, grantpt(terminal) + unlockpt(terminal));
  const std::string name = ptsname(terminal);
  const int other = open(name.c_str(), O_RDWR | O_NOCTTY);  // what is not read must not be lost
  ASSERT_GE(other, 0);
  const std::string command = "'" + program() + "' run -p \"$TEXT\" -n 1 --seed 1 > " + name;
  EXPECT_EQ(0, tests::run_program({"sh", "-c", command}, {{"TEXT", text}}).exit_code);
  std::string shown;
  const std::string whole =
      "a\uFFFD]0;title\uFFFD\tb\uFFFD\uFFFD!\r\r\n.";  // the terminal adds one
  while (shown.size() < whole.size()) {
    char block[256];
    const ssize_t n = read(terminal, block, sizeof block);
    if (n <= 0) break;
    shown.append(block, static_cast<size_t>(n));
  }
  close(other);
  close(terminal);
  EXPECT_EQ(0U, shown.find(whole)) << shown;
}

class Files : public InFolder {};

TEST(Run, MinusOneMeansWhatItDoesInLlamaCpp) {
  const auto text = [](std::vector<std::string> more) {
    std::vector<std::string> words = {"run", "-p", "ROMEO:", "-c", "40"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(0, outcome.exit_code) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(text({"-n", "0"}), text({"-n", "-1"}));
  EXPECT_NE(text({"-n", "30", "--temp", "2", "-s", "-1"}),
            text({"-n", "30", "--temp", "2", "-s", "-1"}));
}

TEST_F(Files, WritingATraceDoesNotChangeTheText) {
  EXPECT_EQ(generate("1", {"--trace", in_folder("x.mcap")}), generate("1"));
  const std::string trace = read_file(in_folder("x.mcap"));
  const std::string magic = "\x89MCAP0\r\n";  // mcap.dev/spec: at both ends
  ASSERT_GT(trace.size(), 10000u);
  EXPECT_EQ(trace.substr(0, 8), magic);
  EXPECT_EQ(trace.substr(trace.size() - 8), magic);
}

// Whoever connects gets a whole trace file; the text begins when somebody does.
TEST_F(Files, ServingATraceDoesNotChangeTheText) {
  const std::string path = in_folder("socket");
  tests::Process served(
      {program(), "run", "-p", "ROMEO:", "-n", "60", "--seed", "1", "--serve", "unix:" + path});
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof to.sun_path);
  path.copy(to.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_TRUE(tests::in_time([&] {
    EXPECT_EQ("", served.out()) << "nobody watches yet";
    return connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  })) << served.err();
  std::string trace;
  char part[65536];
  for (ssize_t n = 0; (n = read(fd, part, sizeof part)) > 0;)
    trace.append(part, static_cast<size_t>(n));
  close(fd);
  const Outcome outcome = served.wait(std::chrono::seconds(60));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, generate("1"));
  EXPECT_NE(std::string::npos, outcome.err.find("fulgurite view unix:" + path)) << outcome.err;
  EXPECT_FALSE(fs::exists(path));
  const std::string magic = "\x89MCAP0\r\n";
  ASSERT_GT(trace.size(), 10000u);
  EXPECT_EQ(trace.substr(0, 8), magic);
  EXPECT_EQ(trace.substr(trace.size() - 8), magic);
}

TEST_F(Files, NobodyHasToCome) {
  tests::Process served({program(), "run", "--serve", "unix:" + in_folder("socket")});
  EXPECT_TRUE(tests::in_time([&] { return served.err().find("waiting") != std::string::npos; }));
  served.send(SIGINT);
  const Outcome outcome = served.wait(std::chrono::seconds(30));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

// "Neko" as Shift_JIS has it: byte tokens take it, and a teacher in Tokyo is told.
TEST_F(Files, ATextInAnotherEncodingIsTakenAndSaid) {
  write(in_folder("neko.txt"), "A\x94\x4C");
  const Outcome outcome = fulgurite({"tokenize", "-f", in_folder("neko.txt"), "--json"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_CONTAINS(outcome.err, "neko.txt: is not UTF-8 from byte 1 on");
  write(in_folder("cat.txt"), "A\u732B");
  EXPECT_EQ(fulgurite({"tokenize", "-f", in_folder("cat.txt"), "--json"}).err, "");
}

TEST_F(Files, PromptFromAFile) {
  write(in_folder("prompt.txt"), "ROMEO:");
  const Outcome outcome =
      fulgurite({"run", "-f", in_folder("prompt.txt"), "-n", "60", "--seed", "1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, generate("1"));
}

TEST(Inspect, JsonTellsTheBuiltInModel) {
  const Outcome outcome = fulgurite({"inspect", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json model = json::parse(outcome.out);
  ASSERT_TRUE(model.at("parameters").is_number_integer());
  EXPECT_GT(model["parameters"].get<int>(), 100000);
  EXPECT_LE(model["parameters"].get<int>(), 830000);
  const Outcome named = fulgurite({"inspect", "--json", "-m", "assets/fulgurite.gguf"});
  ASSERT_EQ(named.exit_code, 0) << named.err;
  EXPECT_EQ(json::parse(named.out).at("parameters"), model["parameters"]);
}

TEST_F(Files, EvalMeasuresText) {
  const std::string line = "ROMEO:\nO, speak again, bright angel! for thou art\n";
  std::string text;
  while (text.size() < 1280) text += line;
  text.resize(1280);
  write(in_folder("text.txt"), text);
  const Outcome outcome =
      fulgurite({"eval", "-f", in_folder("text.txt"), "--window", "128", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  const double loss = result.at("loss").get<double>();
  EXPECT_GT(loss, 0.5);
  EXPECT_LT(loss, 3.0);  // a uniform guess over 65 characters: 4.17
  EXPECT_NEAR(result.at("perplexity").get<double>(), std::exp(loss), 1e-3 * std::exp(loss));
  EXPECT_GE(result.at("tokens").get<int>(), 9 * 128 - 9);
  EXPECT_LE(result.at("tokens").get<int>(), 1280);
  const Outcome piped = tests::run_program(
      {"sh", "-c", program() + " eval -f - --window 128 --json < " + in_folder("text.txt")},
      kNoDisplay);
  EXPECT_EQ(outcome.out, piped.out) << piped.err;
  const std::string fifo = in_folder("fifo");
  const Outcome named =
      tests::run_program({"sh", "-c",
                          "mkfifo " + fifo + "; cat " + in_folder("text.txt") + " > " + fifo +
                              " & " + program() + " eval -f " + fifo + " --window 128 --json"},
                         kNoDisplay);
  EXPECT_EQ(outcome.out, named.out) << named.err;
}

// Muted parts: what is generated, and how well a text is predicted, with them and without.
TEST_F(Files, MutingChangesWhatTheModelSays) {
  const auto said = [](const std::string& parts) {
    std::vector<std::string> words = {"run", "-p", "ROMEO:", "-n", "24", "--temp", "0"};
    if (!parts.empty()) words.insert(words.end(), {"--mute", parts});
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(said("L0.A,L3.M"), said("L0.A,L3.M"));
  EXPECT_NE(said(""), said("L0.A,L3.M"));
  EXPECT_EQ(said("L1.H0,L1.H1,L1.H2,L1.H3"), said("L1.A")) << "all of the layer's heads";

  write(in_folder("text.txt"), fulgurite({"run", "-p", "ROMEO:", "-n", "200"}).out);
  const auto loss = [&](const std::string& parts) {
    std::vector<std::string> words = {"eval", "-f", in_folder("text.txt"), "--json"};
    if (!parts.empty()) words.insert(words.end(), {"--mute", parts});
    return json::parse(fulgurite(words).out).at("loss").get<double>();
  };
  EXPECT_GT(loss("L0.A"), loss("") + 0.1) << "it needs its first heads";

  // The same in what is looked at: `tap` and `logits`.
  for (const char* muted : {"L2.A", "L2.M"}) {
    const std::string tap = muted == std::string("L2.A") ? "blk.2.attn.z" : "blk.2.ffn.act";
    ASSERT_EQ(0, fulgurite({"tap", "-p", "ROMEO:", "--name", tap, "--mute", muted, "-o",
                            in_folder("t.npy")})
                     .exit_code);
    for (const float value : tests::read_npy(in_folder("t.npy")).values) EXPECT_EQ(0.0F, value);
  }
  ASSERT_EQ(0, fulgurite({"logits", "-p", "ROMEO:", "-o", in_folder("a.npy")}).exit_code);
  ASSERT_EQ(
      0,
      fulgurite({"logits", "-p", "ROMEO:", "--mute", "L2.A", "-o", in_folder("b.npy")}).exit_code);
  EXPECT_NE(tests::read_file(in_folder("a.npy")), tests::read_file(in_folder("b.npy")));
}

TEST_F(Files, BuiltInModelIsGoodEnough) {
  REQUIRE_SHARED_DATA();
  const std::string text = read_file(tests::shared_data("text/tinyshakespeare.txt"));
  ASSERT_EQ(text.size(), 1115394u);
  write(in_folder("val.txt"), text.substr(text.size() * 9 / 10));
  const Outcome outcome =
      fulgurite({"eval", "-f", in_folder("val.txt"), "--window", "128", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_LE(json::parse(outcome.out).at("loss").get<double>(), 1.54);  // nats a character
}

TEST_F(Files, TrainMakesAModelThatTheOthersRead) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "to be or not to be: " + std::to_string(i * i % 97) + "\n";
  write(in_folder("text.txt"), text);
  const auto train = [&](const std::string& model) {
    const Outcome outcome = fulgurite({"train", in_folder("text.txt"), "-o", in_folder(model),
                                       "--steps", "30", "--layers", "1", "--heads", "2", "--dim",
                                       "32", "--ctx", "32", "--seed", "7", "--threads", "1"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_plain(outcome.err);
  };
  train("a.gguf");
  train("b.gguf");
  EXPECT_FALSE(read_file(in_folder("a.gguf")).empty());
  EXPECT_EQ(read_file(in_folder("a.gguf")),
            read_file(in_folder("b.gguf")));  // same seed, same threads

  const Outcome eval = fulgurite(
      {"eval", "-m", in_folder("a.gguf"), "-f", in_folder("text.txt"), "--window", "32", "--json"});
  ASSERT_EQ(eval.exit_code, 0) << eval.err;
  EXPECT_TRUE(std::isfinite(json::parse(eval.out).at("loss").get<double>()));
  const Outcome run = fulgurite({"run", "-m", in_folder("a.gguf"), "-p", "to be", "-n", "5"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

}  // namespace
}  // namespace cli
