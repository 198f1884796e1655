// record and shot, with no display: files of the stated size, the same frames every time.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.h"
#include "tests/support/in_time.h"

namespace cli {
namespace {

constexpr int kFailed = 1;
constexpr int kNoVulkan = 4;
constexpr int kRecordingFailed = 6;

std::vector<std::string> record_words(const std::string& output,
                                      std::vector<std::string> more = {}) {
  std::vector<std::string> words = {
      "record", "-p",        "ROMEO:", "-n", "4",    "--seed",        "1",     "--fps",
      "10",     "--seconds", "1",      "-o", output, "--window-size", "160x90"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Width and height from the header of a PNG (its specification, section 11.2.2); {0, 0}: no PNG.
std::pair<uint32_t, uint32_t> png_size(const std::string& bytes) {
  if (bytes.size() < 24 || bytes.substr(0, 8) != "\x89PNG\r\n\x1a\n") return {0, 0};
  const auto number = [&](size_t at) {
    uint32_t n = 0;
    for (size_t i = 0; i < 4; ++i) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
    return n;
  };
  return {number(16), number(20)};
}

class Pictures : public Drawing {};

TEST_F(Pictures, RecordWritesAVideoOfTheStatedShape) {
  const Outcome outcome = fulgurite(record_words(in_folder("a.mp4")));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_plain(outcome.out);
  expect_plain(outcome.err);
  const Outcome probe =
      tests::run_program({"ffprobe", "-v", "error", "-select_streams", "v", "-count_frames",
                          "-show_entries", "stream=width,height,r_frame_rate,nb_read_frames", "-of",
                          "default=noprint_wrappers=1", in_folder("a.mp4")});
  ASSERT_EQ(probe.exit_code, 0) << probe.err;
  EXPECT_EQ(probe.out, "width=160\nheight=90\nr_frame_rate=10/1\nnb_read_frames=10\n");
}

TEST_F(Pictures, ViewWithoutAWindowIsRecord) {
  std::vector<std::string> words = record_words(in_folder("a.mp4"));
  ASSERT_EQ(0, fulgurite(words).exit_code);
  words = record_words(in_folder("b.mp4"));
  words[0] = "view";
  words.emplace_back("--headless");
  const Outcome outcome = fulgurite(words);
  ASSERT_EQ(0, outcome.exit_code) << outcome.err;
  const auto frames = [&](const std::string& name) {
    return tests::run_program({"ffmpeg", "-v", "error", "-i", in_folder(name), "-f", "md5", "-"});
  };
  EXPECT_EQ(0, frames("a.mp4").exit_code);
  EXPECT_EQ(frames("a.mp4").out, frames("b.mp4").out);
}

TEST_F(Pictures, TwoRecordingsHaveTheSameFrames) {
  for (const std::string name : {"a", "b"}) {
    const Outcome outcome = fulgurite(
        record_words(in_folder(name + ".mp4"), {"--frame-hashes", in_folder(name + ".txt")}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  const std::vector<std::string> hashes = lines_of(read_file(in_folder("a.txt")));
  EXPECT_EQ(hashes.size(), 10u);
  EXPECT_EQ(read_file(in_folder("a.txt")), read_file(in_folder("b.txt")));
  for (size_t i = 1; i < hashes.size(); ++i) EXPECT_NE(hashes[i], hashes[i - 1]) << "frame " << i;
}

TEST_F(Pictures, APictureIsAPngByName) {
  const Outcome outcome = fulgurite({"shot", "-n", "1", "-o", in_folder("a.jpg")});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_CONTAINS(outcome.err, "a.jpg: pictures are PNG files (end it with .png)");
  EXPECT_FALSE(fs::exists(in_folder("a.jpg")));
}

TEST_F(Pictures, AVideoIsWhatFfmpegWritesByItsName) {
  for (const char* name : {"a.png", "a.jpg", "a.xyz"}) {
    const Outcome outcome = fulgurite(record_words(in_folder(name)));
    expect_refusal(outcome, 2, "FILE.mp4");
    EXPECT_CONTAINS(outcome.err, std::string(name) + ": ffmpeg cannot write a video of this name");
    EXPECT_FALSE(fs::exists(in_folder(name)));
  }
}

TEST_F(Pictures, WithoutFfmpegRecordWritesPngFrames) {
  Environment environment = kNoDisplay;
  environment["PATH"] = in_folder("");
  const Outcome outcome = fulgurite(record_words(in_folder("a.mp4")), environment);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("ffmpeg"), std::string::npos) << outcome.err;
  int frames = 0;
  for (const auto& entry : fs::recursive_directory_iterator(in_folder(""))) {
    if (entry.path().extension() != ".png" || entry.path().filename() == "probe.png") continue;
    ++frames;
    EXPECT_EQ(png_size(read_file(entry.path())), std::pair(160u, 90u)) << entry.path();
  }
  EXPECT_EQ(frames, 10);
}

TEST_F(Pictures, ShotWritesAPng) {
  const std::vector<std::string> words = {"shot",   "-p", "ROMEO:",        "-n",     "4",
                                          "--seed", "1",  "--window-size", "320x180"};
  for (const std::string name : {"a.png", "b.png"}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"-o", in_folder(name)});
    const Outcome outcome = fulgurite(all);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_plain(outcome.err);
  }
  const std::string picture = read_file(in_folder("a.png"));
  EXPECT_EQ(png_size(picture), std::pair(320u, 180u));
  EXPECT_GT(picture.size(), 5000u);  // one colour all over would need a few hundred bytes
  EXPECT_EQ(picture, read_file(in_folder("b.png")));
}

// IEEE 754 binary16, normal numbers and zero.
double half_at(const std::string& bytes, size_t at) {
  const auto low = static_cast<unsigned char>(bytes[at]);
  const unsigned bits = static_cast<unsigned>(static_cast<unsigned char>(bytes[at + 1])) << 8 | low;
  const int exponent = static_cast<int>(bits >> 10 & 31U);
  const double fraction = static_cast<double>(bits & 1023U);
  const double size =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024.0 + fraction, exponent - 25);
  return (bits >> 15) != 0 ? -size : size;
}

// From the whole model to one number, which is the one that lies in the file.
TEST_F(Pictures, AZoomEndsAtTheWeightThatTheFileHolds) {
  const std::string model = (tests::repository() / "assets/fulgurite.gguf").string();
  const std::string bytes = read_file(model);
  const auto described = nlohmann::json::parse(fulgurite({"inspect", model, "--json"}).out);
  size_t data = 0;
  for (const auto& t : described["tensors"])
    data = std::max(data, t["offset"].get<size_t>() + t["bytes"].get<size_t>());
  const size_t begin = (bytes.size() - data) / 32 * 32;  // GGUF aligns to 32
  struct Cell {
    const char* tensor;
    size_t row, col;
    const char* stored;
  };
  for (const Cell& c : {Cell{"blk.3.attn_q.weight", 17, 104, "blk.3.attn_q.weight"},
                        {"blk.0.ffn_down.weight", 100, 215, "blk.0.ffn_down.weight"},
                        {"output.weight", 101, 3, "token_embd.weight"}}) {
    size_t offset = 0;
    size_t cols = 0;
    for (const auto& t : described["tensors"]) {
      if (t["name"] != c.stored) continue;
      ASSERT_EQ(t["type"], "F16");
      offset = t["offset"];
      cols = t["shape"][0];
    }
    const std::string name =
        std::string(c.tensor) + "[" + std::to_string(c.row) + "," + std::to_string(c.col) + "]";
    const Outcome outcome = fulgurite({"shot", model, "-p", "A", "-n", "1", "--window-size",
                                       "320x180", "--zoom-to", name, "-o", in_folder("z.png")});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    ASSERT_EQ(outcome.out.substr(0, name.size() + 3), name + " = ");
    // Nine digits are every bit of a float32.
    EXPECT_EQ(std::stof(outcome.out.substr(name.size() + 3)),
              static_cast<float>(half_at(bytes, begin + offset + 2 * (c.row * cols + c.col))))
        << name;
  }
}

// Weights of every kind, and what was made of them: a gain, a key that is cached, the stream.
TEST_F(Pictures, AZoomEndsAtWhateverHasANumber) {
  for (const std::string name :
       {"blk.2.attn_norm.weight[0,7]", "output_norm.weight[0,100]", "blk.1.kv.k[0,33]",
        "blk.1.kv.v[1,5]", "blk.4.resid.post[0,127]", "blk.0.resid.mid[0,0]"}) {
    const Outcome outcome = fulgurite({"shot", "-p", "A", "-n", "2", "--at", "1.9", "--window-size",
                                       "320x180", "--zoom-to", name, "-o", in_folder("z.png")});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    ASSERT_EQ(outcome.out.substr(0, name.size() + 3), name + " = ");
    EXPECT_TRUE(std::isfinite(std::stof(outcome.out.substr(name.size() + 3)))) << outcome.out;
  }
}

TEST_F(Pictures, AZoomToNothingIsRefused) {
  for (const std::string name : {"nonsense", "blk.0.attn_q.weight", "blk.0.attn_q.weight[128,0]",
                                 "blk.6.attn_q.weight[0,0]", "blk.0.attn_q.weight[0,-1]"}) {
    expect_refusal(fulgurite({"shot", "-p", "A", "-n", "1", "--window-size", "64x64", "--zoom-to",
                              name, "-o", in_folder("z.png")}),
                   2, "--zoom-to");
  }
}

TEST_F(Pictures, ARecordedZoomHasTheSameFramesEveryTime) {
  for (const std::string name : {"a", "b"}) {
    const Outcome outcome = fulgurite(record_words(
        in_folder(name + ".mp4"),
        {"--zoom-to", "blk.2.ffn_up.weight[9,9]", "--frame-hashes", in_folder(name + ".txt")}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  EXPECT_EQ(lines_of(read_file(in_folder("a.txt"))).size(), 10U);
  EXPECT_EQ(read_file(in_folder("a.txt")), read_file(in_folder("b.txt")));
}

// Wherever the playhead is, the engine is asked and waited for.
TEST_F(Pictures, ARecordingShowsTheTensorOfWhatIsSelected) {
  const auto frames_of = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.end(), {"--select", "L3.H1", "--frame-hashes", in_folder(name + ".txt")});
    std::vector<std::string> words = record_words(in_folder(name + ".mp4"), more);
    std::replace(words.begin(), words.end(), std::string("160x90"), std::string("640x360"));
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return lines_of(read_file(in_folder(name + ".txt")));
  };
  const auto first = frames_of("a", {});
  EXPECT_EQ(first, frames_of("b", {})) << "the same frames every time";
  const auto mix = frames_of("c", {"--tensor", "attn.z"});
  ASSERT_EQ(first.size(), mix.size());
  for (size_t i = 0; i < mix.size(); ++i) EXPECT_NE(first[i], mix[i]) << "frame " << i;
}

// The readings are made while the model generates and kept in its trace; without them there are
// none to show.
TEST_F(Pictures, ReadingsOfEveryLayerStandInTheTrace) {
  const auto shot = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"shot", "-o", in_folder(name), "--window-size", "640x360"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return read_file(in_folder(name));
  };
  const auto generate = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"-p", "ROMEO:", "-n", "4", "--seed", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const std::string with = in_folder("with.mcap");
  const std::string live = shot("live.png", generate({"--lens", "--trace", with}));
  EXPECT_NE(live, shot("plain.png", generate({})));
  EXPECT_EQ(live, shot("again.png", {with, "--lens"}));
  EXPECT_NE(live, shot("hidden.png", {with}));
  const std::string without = in_folder("without.mcap");
  std::vector<std::string> run = generate({"--trace", without});
  run.insert(run.begin(), "run");
  ASSERT_EQ(fulgurite(run).exit_code, 0);
  EXPECT_NE(live, shot("none.png", {without, "--lens"}));
  EXPECT_EQ(live, shot("asked.png", {without, "--lens", "-m", "builtin"})) << "its model answers";
  const std::string once_more = in_folder("once-more.mcap");
  shot("written.png", {with, "-m", "builtin", "--trace", once_more});
  EXPECT_EQ(live, shot("read.png", {once_more, "--lens"})) << "what was read is read again";
}

// The engine is asked for what made a candidate's logit, and waited for.
TEST_F(Pictures, ACandidateIsExplained) {
  const std::string trace = in_folder("t.mcap");
  const auto shot = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"shot",     "-o", in_folder(name), "--window-size", "640x480",
                                      "--select", "C0"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return read_file(in_folder(name));
  };
  const std::vector<std::string> words = {"-p",     "ROMEO:", "-n",      "4",
                                          "--seed", "1",      "--trace", trace};
  const std::string live = shot("a.png", words);
  std::vector<std::string> muted = words;
  muted.insert(muted.end(), {"--mute", "L5.H1"});
  EXPECT_EQ(live, shot("b.png", words)) << "the same every time";
  EXPECT_NE(live, shot("c.png", muted));
}

// What a trace leaves out is there again when its model runs its tokens again.
TEST_F(Pictures, ATraceAndItsModelShowWhatTheModelShowed) {
  const std::string trace = in_folder("t.mcap");
  std::string said;
  const auto shot = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"shot",    "-o",       in_folder(name), "--window-size",
                                      "640x480", "--select", "L3.H1"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = fulgurite(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    said = outcome.err;
    return read_file(in_folder(name));
  };
  const std::vector<std::string> z = {"--tensor", "attn.z"};
  std::vector<std::string> words = {"-p", "ROMEO:",  "-n",  "4",       "--seed",
                                    "1",  "--trace", trace, z.front(), z.back()};
  const std::string live = shot("live.png", words);
  const std::string again = in_folder("again.mcap");
  EXPECT_EQ(live,
            shot("again.png", {trace, "-m", "builtin", "--trace", again, "--tensor", "attn.z"}));
  EXPECT_NE(live, shot("alone.png", {trace}));
  EXPECT_EQ(live, shot("twice.png", {again, "-m", "builtin", "--tensor", "attn.z"}));
  EXPECT_NE(live,
            shot("without.png", {trace, "-m", "builtin", "--tensor", "attn.z", "--mute", "L2.H1"}));
  EXPECT_NE(std::string::npos, said.find("tokens of the trace were run again")) << said;
}

TEST_F(Pictures, WhatIsServedOrStillWrittenLooksLikeItsFile) {
  const std::vector<std::string> words = {"run", "-p", "ROMEO:", "-n", "6", "--seed", "1"};
  const auto with = [&](std::vector<std::string> front, const std::vector<std::string>& more) {
    front.insert(front.end(), more.begin(), more.end());
    return front;
  };
  const auto shot = [&](const std::string& name, const std::vector<std::string>& what) {
    const Outcome outcome = fulgurite(
        with({"shot", "-o", in_folder(name), "--window-size", "320x240", "--at", "3.5"}, what));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return read_file(in_folder(name));
  };
  const std::string trace = in_folder("t.mcap");
  EXPECT_EQ(0, fulgurite(with(words, {"--trace", trace})).exit_code);
  const std::string picture = shot("file.png", {trace});
  EXPECT_FALSE(picture.empty());
  EXPECT_EQ(picture, shot("followed.png", {trace, "--follow"}));
  const std::string address = "unix:" + in_folder("socket");
  tests::Process served(with(with({program()}, words), {"--serve", address}));
  EXPECT_TRUE(tests::in_time([&] { return served.err().find("waiting") != std::string::npos; }));
  EXPECT_EQ(picture, shot("served.png", {address}));
  EXPECT_EQ(0, served.wait(std::chrono::seconds(60)).exit_code);
}

TEST_F(Pictures, WhatStandsOverThePictureIsLeftOutByName) {
  const auto shot = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words = {
        "shot",          "-p",       "ROMEO:", "-n",       "4",     "--seed",        "1",      "-o",
        in_folder(name), "--select", "L3.A",   "--camera", "front", "--window-size", "640x360"};
    words.insert(words.end(), more.begin(), more.end());
    return fulgurite(words);
  };
  std::vector<std::string> pictures;
  for (const char* panels :
       {"legend,meanings,text,inspector,labels", "legend,text,inspector,labels", "legend,labels",
        "text,inspector", "none"}) {
    ASSERT_EQ(shot("x.png", {"--panels", panels}).exit_code, 0) << panels;
    const std::string picture = read_file(in_folder("x.png"));
    for (const std::string& other : pictures) EXPECT_NE(picture, other) << panels;
    pictures.push_back(picture);
  }
  ASSERT_EQ(shot("all.png", {}).exit_code, 0);
  EXPECT_EQ(read_file(in_folder("all.png")), pictures.front()) << "all of them, unless asked";
  constexpr int kUsage = 2;
  expect_refusal(shot("y.png", {"--panels", "legend,crown"}), kUsage, "no panel 'crown'");
  expect_refusal(shot("y.png", {"--tensor", "attn.z"}), kUsage, "L3.A has no tensor 'attn.z'");
  EXPECT_FALSE(fs::exists(in_folder("y.png")));
}

TEST_F(Pictures, TheCameraGoesToViewsLayersAndNodesByName) {
  const auto shot = [&](const std::string& camera) {
    return fulgurite({"shot", "-p", "A", "-n", "1", "--window-size", "64x64", "-o",
                      in_folder("x.png"), "--camera", camera});
  };
  for (const char* name : {"crown", "L2", "L3.H1", "L0.K1.0", "-30,10,5"}) {
    EXPECT_EQ(shot(name).exit_code, 0) << name;
  }
  constexpr int kUsage = 2;
  for (const char* name : {"nowhere", "L6", "L3.H4", "@9", "@", "1,2", "L3.H1;rm"}) {
    expect_refusal(shot(name), kUsage, "--camera");
  }
}

TEST_F(Pictures, UnwritableOutputs) {
  write(in_folder("file"), "in the way");
  for (const std::string name : {"no-such-folder/x.mp4", "file/x.mp4"}) {
    expect_refusal(fulgurite(record_words(in_folder(name))), kRecordingFailed, in_folder(name));
  }
  for (const std::string name : {"no-such-folder/x.png", "file/x.png"}) {
    expect_refusal(
        fulgurite({"shot", "-p", "A", "-n", "1", "--window-size", "64x64", "-o", in_folder(name)}),
        kRecordingFailed, in_folder(name));
  }
}

// What a slip of the pen names must not cost the trace that was there.
TEST_F(Pictures, ATraceIsNotReplacedForAPictureOfNothing) {
  write(in_folder("old.mcap"), "a long conversation");
  for (const std::vector<std::string>& slip : {std::vector<std::string>{"--camera", "nowhere"},
                                               {"--select", "L9.H9"},
                                               {"--zoom-to", "blk.99.ffn_up.weight[0,0]"}}) {
    for (const std::string command : {"shot", "record"}) {
      std::vector<std::string> words = {
          command, "-p", "A", "-n", "1", "--trace", in_folder("old.mcap")};
      words.insert(words.end(), {"-o", in_folder(command == "shot" ? "x.png" : "x.mp4")});
      words.insert(words.end(), slip.begin(), slip.end());
      expect_refusal(fulgurite(words), 2, slip[0]);
      EXPECT_EQ("a long conversation", read_file(in_folder("old.mcap"))) << command << slip[0];
    }
  }
}

TEST_F(Pictures, ATraceThatDidNotFitIsNoSuccess) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  const Outcome outcome = fulgurite({"shot", "-p", "A", "-n", "2", "--window-size", "64x64", "-o",
                                     in_folder("x.png"), "--trace", "/dev/full"});
  EXPECT_EQ(kFailed, outcome.exit_code);
  EXPECT_NE(outcome.err.find("/dev/full: the trace stopped"), std::string::npos) << outcome.err;
  EXPECT_EQ(png_size(read_file(in_folder("x.png"))), std::pair(64U, 64U)) << "the picture is made";
}

// A file may grow to this many blocks of 512 bytes and no further, as on a disk that is full.
Outcome with_short_files(uintmax_t blocks, const std::vector<std::string>& words) {
  std::string line = "trap '' XFSZ; ulimit -f " + std::to_string(blocks) + "; exec " + program();
  for (const std::string& word : words) line += " " + word;
  return tests::run_program({"sh", "-c", line}, kNoDisplay);
}

// Lavapipe of Mesa 25 keeps its memory in files without a name, and dies where these stay short.
bool driver_needs_long_files() {
  const Outcome outcome = with_short_files(
      2, {"shot", "-p", "A", "-n", "1", "--window-size", "64x64", "-o", "/dev/null"});
  return outcome.exit_code == 128 + SIGBUS;
}

TEST_F(Pictures, NoHalfPictureIsLeft) {
  if (driver_needs_long_files()) GTEST_SKIP() << "the driver needs long files itself";
  const Outcome outcome = with_short_files(
      2, {"shot", "-p", "A", "-n", "1", "--window-size", "640x360", "-o", in_folder("x.png")});
  expect_refusal(outcome, kRecordingFailed, "is the disk full?");
  EXPECT_FALSE(fs::exists(in_folder("x.png")));
}

TEST_F(Pictures, AVideoNeedsAnEnding) {
  expect_refusal(fulgurite(record_words(in_folder("video"))), 2, "FILE.mp4");
}

TEST_F(Pictures, ARecordingThatDidNotFitIsNoSuccess) {
  if (driver_needs_long_files()) GTEST_SKIP() << "the driver needs long files itself";
  ASSERT_EQ(fulgurite(record_words(in_folder("whole.mp4"))).exit_code, 0);
  const auto whole = fs::file_size(in_folder("whole.mp4"));
  for (const auto blocks : {uintmax_t{2}, whole / 512 * 2 / 3}) {
    const Outcome outcome = with_short_files(blocks, record_words(in_folder("a.mp4")));
    EXPECT_EQ(kRecordingFailed, outcome.exit_code) << blocks << " of " << whole << outcome.err;
  }
}

// These two need no driver: they take it away.
class NoDriver : public InFolder {
 protected:
  static Environment environment() {
    Environment none = kNoDisplay;
    none["VK_ICD_FILENAMES"] = none["VK_DRIVER_FILES"] = "/nonexistent";
    return none;
  }
};

TEST_F(NoDriver, ShotNamesThePackageThatHelps) {
  expect_refusal(fulgurite({"shot", "-p", "A", "-n", "1", "-o", in_folder("x.png")}, environment()),
                 kNoVulkan, "mesa-vulkan-drivers");
}

// A recording that cannot even begin leaves the video of yesterday alone.
TEST_F(NoDriver, AFailedRecordingKeepsWhatWasThere) {
  write(in_folder("good.mp4"), "a video");
  write(in_folder("hashes.txt"), "its hashes");
  const Outcome outcome =
      fulgurite(record_words(in_folder("good.mp4"), {"--frame-hashes", in_folder("hashes.txt")}),
                environment());
  EXPECT_EQ(outcome.exit_code, kNoVulkan) << outcome.err;
  EXPECT_EQ(read_file(in_folder("good.mp4")), "a video");
  EXPECT_EQ(read_file(in_folder("hashes.txt")), "its hashes");
}

TEST_F(NoDriver, TextNeedsNoDriver) {
  EXPECT_EQ(fulgurite({"run", "-p", "A", "-n", "1"}, environment()).exit_code, 0);
}

}  // namespace
}  // namespace cli
