// Bad input: one clear line on stderr, nothing on stdout and the exit code that names the kind.
#include "tests/cli/program.h"

namespace cli {
namespace {

constexpr int kFailed = 1;
constexpr int kBadModel = 3;

class BadInput : public InFolder {
 protected:
  // Every command that reads a model refuses this one alike.
  void expect_bad_model(const std::string& model) const {
    write(in_folder("text.txt"), "Some text to measure.");
    const std::vector<std::vector<std::string>> commands = {
        {"run", "-m", model, "-p", "A", "-n", "1"},
        {"inspect", "-m", model},
        {"eval", "-m", model, "-f", in_folder("text.txt")},
        {"record", "-m", model, "-p", "A", "-n", "1", "-o", in_folder("x.mp4")},
    };
    for (const std::vector<std::string>& words : commands) {
      SCOPED_TRACE(words.front());
      const Outcome outcome = fulgurite(words);
      expect_refusal(outcome, kBadModel, model);
      EXPECT_EQ(outcome.out, "");
    }
  }
};

// What is read must never be written as well: it would be gone before it is read.
TEST_F(BadInput, AnOutputIsNoInput) {
  const std::string model = in_folder("own.gguf");
  fs::copy_file("assets/fulgurite.gguf", model);
  const std::string bytes = read_file(model);
  expect_refusal(fulgurite({"run", "-m", model, "-n", "1", "--trace", model}), 2, model);
  expect_refusal(fulgurite({"record", "-m", model, "-n", "1", "-o", model}), 2, model);
  expect_refusal(fulgurite({"shot", model, "-n", "1", "-o", model}), 2, model);
  EXPECT_EQ(read_file(model), bytes);
  const std::string text = in_folder("text.txt");
  write(text, "A text that nobody else has.");
  expect_refusal(fulgurite({"train", text, "-o", text}), 2, "cannot be written as well");
  EXPECT_EQ(read_file(text), "A text that nobody else has.");
}

// Two arguments that changed places would cost the original.
TEST_F(BadInput, AModelIsNotReplaced) {
  const std::string model = in_folder("mine.gguf");
  fs::copy_file("assets/fulgurite.gguf", model);
  const std::string bytes = read_file(model);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"quantize", "assets/fulgurite.gguf", model, "Q8_0"},
                                             {"run", "-n", "1", "--trace", model},
                                             {"shot", "-n", "1", "-o", model},
                                             {"logits", "-p", "x", "-o", model}}) {
    expect_refusal(fulgurite(words), 2, "mine.gguf: is a model and would be replaced");
  }
  EXPECT_EQ(read_file(model), bytes);
  const std::string locked = in_folder("locked.npy");
  write(locked, "precious");
  fs::permissions(locked, fs::perms::owner_read);
  expect_refusal(fulgurite({"logits", "-p", "x", "-o", locked}), 1, "is read-only and stays");
  EXPECT_EQ(read_file(locked), "precious");
}

// However the model is named: by its store, as a folder, by a part.
TEST_F(BadInput, AnOutputIsNoFileOfTheModel) {
  const std::string store = in_folder("lms/.lmstudio/models/pub/repo");
  fs::create_directories(store);
  fs::copy_file("assets/fulgurite.gguf", store + "/m.gguf");
  Environment home = kNoDisplay;
  home["HOME"] = in_folder("lms");
  expect_refusal(
      fulgurite({"logits", "-m", "lmstudio:pub/repo", "-p", "x", "-o", store + "/m.gguf"}, home), 2,
      "is read and cannot be written as well");
  fs::create_directories(in_folder("hf"));
  write(in_folder("hf/config.json"), "{}");
  write(in_folder("hf/model.safetensors"), "");
  for (const std::string name : {"config.json", "model.safetensors"}) {
    const std::string out = in_folder("hf/" + name);
    expect_refusal(fulgurite({"logits", "-m", in_folder("hf"), "-p", "x", "-o", out}), 2, out);
    expect_refusal(fulgurite({"shot", "--structure", in_folder("hf/config.json"), "-o", out}), 2,
                   out);
  }
  write(in_folder("s-00002-of-00002.gguf"), "second");
  expect_refusal(fulgurite({"logits", "-m", in_folder("s-00001-of-00002.gguf"), "-p", "x", "-o",
                            in_folder("s-00002-of-00002.gguf")}),
                 2, "is read and cannot be written as well");
}

TEST_F(BadInput, NotANumberIsNoNumber) {
  expect_refusal(fulgurite({"run", "-n", "1", "--temp", "nan"}), 2, "--temp");
  for (const char* part : {"L3", "L3.H", "x", "L0.R"})
    expect_refusal(fulgurite({"run", "-n", "1", "--mute", part}), 2, "--mute");
  expect_refusal(fulgurite({"run", "-n", "1", "--mute", "L99.H0"}), 2, "layers 0 to 5");
  expect_refusal(fulgurite({"shot", "--mute", "L1.H0", "no.gguf"}), 3,
                 "no.gguf");  // a file follows
  expect_refusal(fulgurite({"logits", "-p", "A", "-o", "-", "--mute", "L0.H99"}), 2, "heads 0 to");
  expect_refusal(fulgurite({"shot", "-n", "1", "--mute", "L0.F216"}), 2, "neurons 0 to 215");
  expect_refusal(fulgurite({"run", "-n", "1", "--top-p", "nan"}), 2, "--top-p");
  const std::string video = in_folder("x.mp4");
  expect_refusal(fulgurite({"record", "-o", video, "--fps", "nan"}), 2, "--fps");
  expect_refusal(fulgurite({"record", "-o", video, "--seconds", "nan"}), 2, "--seconds");
}

TEST_F(BadInput, ChannelsPalettesAndPacesThatAreNone) {
  const std::string picture = in_folder("x.png");
  const auto shot = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"shot", "-n", "1", "-o", picture};
    words.insert(words.end(), more.begin(), more.end());
    return fulgurite(words);
  };
  expect_refusal(shot({"--palette", "rainbow"}), 2, "--palette");
  expect_refusal(shot({"--channels", "atention"}), 2, "there is no channel 'atention'");
  expect_refusal(shot({"--gain", "ffn=9"}), 2, "'ffn=9' is no gain");
  expect_refusal(shot({"--gain", "ffn=nan"}), 2, "'ffn=nan' is no gain");
  expect_refusal(shot({"--pace", "9"}), 2, "--pace");
}

// A file's name or a word may hold what a terminal would obey.
TEST_F(BadInput, ControlCharactersAreShownNotSent) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"run", "-m", "a\x1B[31m\nb"},
           {"tap", "--name", "a\x1B[31m\nb", "-p", "A", "-o", in_folder("x.npy")},
           {"a\x1B[31m\nb"},
           {"run", "--a\x1B[31m\nb"},
           {"shot", "--camera", "a\x1B[31m\nb", "-o", in_folder("x.png")}}) {
    const Outcome outcome = fulgurite(words);
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_EQ(line_count(outcome.err), 1) << outcome.err;
    EXPECT_CONTAINS(outcome.err, "\\x1B[31m\\x0Ab");
    expect_plain(outcome.err);
  }
}

TEST_F(BadInput, SeedsAndModelsThatAreNone) {
  for (const char* seed : {"-2", "18446744073709551616", "1.5", "0x", " 1"}) {
    expect_refusal(fulgurite({"run", "-n", "1", "-p", "A", "-s", seed}), 2, "--seed");
  }
  const Outcome largest = fulgurite({"run", "-n", "1", "-p", "A", "-s", "18446744073709551615"});
  EXPECT_EQ(largest.exit_code, 0) << largest.err;
}

// What a script leaves where a variable was empty.
TEST_F(BadInput, ArgumentsThatAreEmpty) {
  const std::string out = in_folder("l.npy");
  expect_refusal(fulgurite({"run", "-n", "1", "-m", ""}), 2, "-m: an argument is empty");
  expect_refusal(fulgurite({"run", "-n", "1", "--model="}), 2, "--model: an argument is empty");
  expect_refusal(fulgurite({"inspect", ""}), 2, "an argument is empty");
  expect_refusal(fulgurite({"run", "--top-k", ""}), 2, "--top-k");
  expect_refusal(fulgurite({"run", "-p", "A", "--trace", ""}), 2, "--trace");
  expect_refusal(fulgurite({"logits", "--tokens", "", "-o", out}), 2, "--tokens");
  expect_refusal(fulgurite({"logits", "--tokens", "1,,2", "-o", out}), 2, "--tokens");
  EXPECT_FALSE(fs::exists(out));
  expect_refusal(fulgurite({""}), 2, "an argument is empty");
  EXPECT_EQ(0, fulgurite({"tokenize", "-p", ""}).exit_code) << "a text may be empty";
}

TEST_F(BadInput, ACacheWhoseBlocksDoNotFitTheHeads) {
  const std::string model = tests::data("models/llama-gqa.gguf").string();  // heads of 8
  const std::string why = "this model's heads are 8 wide (use f16 or f32)";
  expect_refusal(fulgurite({"run", "-m", model, "-p", "A", "--cache-type", "q8_0"}), 2, why);
  expect_refusal(fulgurite({"bench", "-m", model, "-p", "2", "-n", "2", "--cache-type", "q8_0"}), 2,
                 why);
}

TEST_F(BadInput, AContextThatAReadingCannotHave) {
  const std::string model = tests::data("models/llama-gqa.gguf").string();
  const std::string out = in_folder("x.npy");
  for (std::vector<std::string> words : {std::vector<std::string>{"logits", "-o", out},
                                         {"tap", "--name", "blk.0.ffn.act", "-o", out},
                                         {"lens"},
                                         {"attribution"}}) {
    words.insert(words.end(), {"-m", model, "--tokens", "5,6,7", "-c", "2"});
    expect_refusal(fulgurite(words), 2, "3 tokens are more than a context of 2");
    words.back() = "999999";
    expect_refusal(fulgurite(words), 2, "a context of 999999 tokens is not possible");
    words.back() = "3";
    EXPECT_EQ(0, fulgurite(words).exit_code) << words.front();
  }
}

TEST_F(BadInput, OneFileForTwoOutputs) {
  const std::string out = in_folder("x.png");
  expect_refusal(fulgurite({"shot", "-o", out, "--trace", in_folder("./x.png")}), 2,
                 "is named for two outputs");
  EXPECT_FALSE(fs::exists(out));
}

// Reading it would wait for somebody who writes.
TEST_F(BadInput, OptionsThatContradictEachOther) {
  constexpr int kUsage = 2;
  write(in_folder("t.mcap"), "\x89MCAP0\r\n");
  expect_refusal(fulgurite({"shot", "a.gguf", "-m", "b.gguf"}), kUsage, "a.gguf: is given beside");
  expect_refusal(fulgurite({"shot", in_folder("t.mcap"), "--trace", in_folder("u.mcap")}), kUsage,
                 "leave out --trace");
  expect_refusal(fulgurite({"shot", "--zoom", "0.5"}), kUsage, "--zoom requires --zoom-to");
  EXPECT_FALSE(fs::exists(in_folder("u.mcap")));
}

// What nothing is generated for cannot do what it was asked to.
TEST_F(BadInput, ReadingsThatNobodySees) {
  expect_refusal(fulgurite({"run", "-p", "A", "-n", "2", "--lens"}), 2, "--trace");
  expect_refusal(fulgurite({"shot", "--structure", "gpt2", "--lens", "-o", in_folder("x.png")}), 2,
                 "--lens");
}

TEST_F(BadInput, OptionsOfGeneratingWhereNothingIsGenerated) {
  const std::string trace = in_folder("t.mcap");
  ASSERT_EQ(fulgurite({"run", "-n", "2", "--trace", trace}).exit_code, 0);
  const std::string out = in_folder("x.png");
  expect_refusal(fulgurite({"shot", trace, "-o", out, "-n", "3"}), 2, "a trace holds");
  expect_refusal(fulgurite({"shot", trace, "-o", out, "--temp", "1"}), 2, "--temp");
  expect_refusal(fulgurite({"shot", "--structure", "gpt2", "-o", out, "-p", "x"}), 2, "--prompt");
  expect_refusal(fulgurite({"shot", "--structure", "gpt2", "--synthetic", "-o", out, "--trace",
                            in_folder("new.mcap")}),
                 2, "--trace");
  expect_refusal(fulgurite({"view", "-o", out}), 2, "--headless");
  expect_refusal(fulgurite({"view", "--seconds", "2"}), 2, "--headless");
  expect_refusal(fulgurite({"view", "--headless", "--timings", in_folder("t.json")}), 2,
                 "--timings");
}

// A model runs the conversation of its own trace again, and no other.
TEST_F(BadInput, ATraceThatItsModelCannotRunAgain) {
  const std::string trace = in_folder("t.mcap");
  const std::string out = in_folder("x.png");
  ASSERT_EQ(fulgurite({"run", "-p", "ROMEO:", "-n", "2", "--trace", trace}).exit_code, 0);
  const auto shot = [&](const std::string& file, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"shot", file, "-o", out, "-m"};
    words.insert(words.end(), more.begin(), more.end());
    return fulgurite(words);
  };
  const std::string other = tests::data("models/llama-gqa.gguf").string();
  expect_refusal(shot(trace, {other}), 2, "was recorded with another model");
  expect_refusal(shot(trace, {in_folder("missing.gguf")}), kBadModel, "missing.gguf");
  expect_refusal(shot(trace, {"builtin", "-p", "x"}), 2, "a trace holds");
  expect_refusal(shot(trace, {"builtin", "-n", "5"}), 2, "a trace holds");
  expect_refusal(shot(trace, {"builtin", "-c", "4"}), 2, "the context holds 4");
  expect_refusal(shot(trace, {"builtin", "--trace", trace}), 2, "cannot be written as well");
  expect_refusal(shot(trace, {"builtin", "--mute", "L99.H0"}), 2, "L99.H0");
  expect_refusal(shot(trace, {"builtin", "--conversation", "2"}), 2, "conversation");
  write(in_folder("cut.mcap"), read_file(trace).substr(0, 3000));
  expect_refusal(shot(in_folder("cut.mcap"), {"builtin"}), kBadModel, "no forward step");
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(BadInput, ATraceThatNobodyServes) {
  const std::string trace = in_folder("t.mcap");
  const std::string out = in_folder("x.png");
  const std::string nowhere = "unix:" + in_folder("socket");
  ASSERT_EQ(fulgurite({"run", "-p", "ROMEO:", "-n", "2", "--trace", trace}).exit_code, 0);
  const auto shot = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"shot", "-o", out});
    return fulgurite(words);
  };
  expect_refusal(shot({nowhere}), 1, "cannot be reached");
  expect_refusal(shot({"tcp:example.org:7777"}), 2, "not an address of this machine");
  expect_refusal(shot({"tcp:seven"}), 2, "is no port");
  expect_refusal(shot({nowhere, "-n", "3"}), 2, "a trace holds");
  expect_refusal(shot({nowhere, "-m", "builtin"}), 2, "still on its way");
  expect_refusal(shot({nowhere, "--conversation", "1"}), 2, "still on its way");
  expect_refusal(shot({"--follow"}), 2, "needs a trace");
  expect_refusal(shot({trace, "--follow", "--conversation", "1"}), 2, "excludes");
  expect_refusal(shot({in_folder("none.mcap"), "--follow"}), kBadModel, "none.mcap");
  write(in_folder("words.txt"), "these are words, and more of them than eight bytes");
  expect_refusal(shot({in_folder("words.txt"), "--follow"}), kBadModel, "is not MCAP");
  expect_refusal(fulgurite({"run", "--serve", "7777"}), 2, "is no address");
  expect_refusal(fulgurite({"run", "--serve", "tcp:0.0.0.0:7777"}), 2, "ssh -L");
  expect_refusal(fulgurite({"run", "--serve", "unix:" + in_folder("none/socket")}), 1,
                 "nothing can listen there");
  expect_refusal(fulgurite({"run", "--lens"}), 2, "--serve");
  EXPECT_FALSE(fs::exists(out));
}

// A file that is opened would get the number of a stream that the caller has closed.
TEST_F(BadInput, AClosedStreamIsNotWhatIsOpenedNext) {
  const std::string trace = in_folder("t.mcap");
  const auto run = [&](const std::string& closed) {
    const std::string command =
        "'" + program() + "' run -n 4 -p ROMEO: --trace '" + trace + "' " + closed;
    return tests::run_program({"sh", "-c", command}).exit_code;
  };
  EXPECT_EQ(1, run(">&-"));
  EXPECT_FALSE(fs::exists(trace)) << "nothing was generated";
  EXPECT_EQ(0, run("2>&-"));
  const std::string bytes = read_file(trace);
  EXPECT_EQ(bytes.substr(bytes.size() - 8), std::string("\x89MCAP0\r\n", 8));
  EXPECT_EQ(bytes.find("tokens/s"), std::string::npos);
}

TEST_F(BadInput, AFolderIsNoText) {
  for (const std::string from : {"-f - < /tmp", "-f /tmp"}) {
    const Outcome outcome =
        tests::run_program({"sh", "-c", cli::program() + " run -n 1 " + from}, cli::kNoDisplay);
    expect_refusal(outcome, 1, from == "-f /tmp" ? "/tmp" : "stdin");
  }
}

TEST_F(BadInput, APipeIsNoModel) {
  const std::string pipe = in_folder("pipe");
  ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
  const auto limit = std::chrono::seconds(20);
  expect_refusal(fulgurite({"shot", pipe, "-o", in_folder("x.png")}, cli::kNoDisplay, limit),
                 kBadModel, "pipe");
}

TEST_F(BadInput, AFullDiskBehindStdoutOrNothingAtAll) {
  for (const std::string to : {"> /dev/full", ">&-"}) {
    if (to != ">&-" && !fs::exists("/dev/full")) continue;
    for (const std::string words : {"inspect", "inspect --json", "models", "--version", "--help",
                                    "run -n 2 -p A", "lens -p A", "attribution -p A --json", "taps",
                                    "tokenize -f LICENSE", "eval -f LICENSE -c 16"}) {
      const Outcome outcome = tests::run_program(
          {"sh", "-c", cli::program() + " " + words + " " + to}, cli::kNoDisplay);
      expect_refusal(outcome, 1, "stdout");
    }
  }
}

// `| head`, or `| tee` that Ctrl-C reached first: quiet, as any program ends there, but what was
// written stays.
TEST_F(BadInput, AReaderThatGoesAwayCostsNothing) {
  const std::string trace = in_folder("t.mcap");
  const std::string status = in_folder("status");
  const std::string run = cli::program() + " run -n 0 -p A --trace " + trace;
  const Outcome text = tests::run_program(
      {"bash", "-c", "(sleep 1; " + run + "; echo $? > " + status + ") | true"}, cli::kNoDisplay);
  EXPECT_EQ("", text.err.substr(0, text.err.find("prompt of")));
  EXPECT_EQ("141\n", read_file(status));
  const std::string bytes = read_file(trace);
  EXPECT_EQ(bytes.substr(bytes.size() - 8), std::string("\x89MCAP0\r\n", 8));

  const Outcome words = tests::run_program(
      {"bash", "-c",
       "(sleep 1; " + cli::program() + " inspect --json; echo $? > " + status + ") | true"},
      cli::kNoDisplay);
  EXPECT_EQ("", words.err);
  EXPECT_EQ("141\n", read_file(status));

  const Outcome messages =
      tests::run_program({"bash", "-c",
                          cli::program() + " run -p A -n 3 --trace " + trace +
                              " 2>&1 >/dev/null | true; " + "echo ${PIPESTATUS[0]} > " + status},
                         cli::kNoDisplay);
  EXPECT_EQ("0\n", read_file(status)) << "nobody reads the remarks, and nothing else is lost";
}

TEST_F(BadInput, ATraceThatHoldsNothing) {
  const std::string trace = in_folder("t.mcap");
  const std::string picture = in_folder("x.png");
  ASSERT_EQ(fulgurite({"run", "-p", "A", "-n", "1", "--trace", trace}).exit_code, 0);
  write(trace, read_file(trace).substr(0, 100));
  expect_refusal(fulgurite({"shot", trace, "-o", picture}), kBadModel, "holds nothing to show");
}

TEST_F(BadInput, MissingModel) {
  expect_bad_model(in_folder("missing.gguf"));
}

TEST_F(BadInput, Directory) {
  expect_bad_model(in_folder(""));
}

TEST_F(BadInput, EmptyFile) {
  write(in_folder("empty.gguf"), "");
  expect_bad_model(in_folder("empty.gguf"));
}

TEST_F(BadInput, TextNamedGguf) {
  write(in_folder("text.gguf"), "First Citizen:\nBefore we proceed any further, hear me speak.\n");
  expect_bad_model(in_folder("text.gguf"));
}

TEST_F(BadInput, TruncatedModel) {
  const std::string whole = read_file("assets/fulgurite.gguf");
  ASSERT_GT(whole.size(), 100000u);
  for (const size_t kept :
       {size_t{4}, size_t{23}, size_t{200}, whole.size() / 2, whole.size() - 1}) {
    SCOPED_TRACE(kept);
    write(in_folder("cut.gguf"), whole.substr(0, kept));
    expect_bad_model(in_folder("cut.gguf"));
  }
}

TEST_F(BadInput, MissingText) {
  expect_refusal(fulgurite({"eval", "-f", in_folder("no.txt")}), kFailed, in_folder("no.txt"));
  expect_refusal(fulgurite({"run", "-f", in_folder("no.txt")}), kFailed, in_folder("no.txt"));
  expect_refusal(fulgurite({"train", in_folder("no.txt"), "-o", in_folder("m.gguf")}), kFailed,
                 in_folder("no.txt"));
}

TEST_F(BadInput, UnwritableTrace) {
  const std::string target = in_folder("no-such-folder/x.mcap");
  expect_refusal(fulgurite({"run", "-p", "A", "-n", "1", "--trace", target}), kFailed, target);
}

TEST_F(BadInput, UnwritableModel) {
  write(in_folder("text.txt"), std::string(4000, 'a'));
  const std::string target = in_folder("no-such-folder/m.gguf");
  expect_refusal(fulgurite({"train", in_folder("text.txt"), "-o", target, "--steps", "1"}), kFailed,
                 target);
}

}  // namespace
}  // namespace cli
