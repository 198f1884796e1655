// The window under Xvfb, used by mouse and keyboard, with Vulkan's validation on.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cli/program.h"
#include "tests/cli/x_display.h"

namespace cli {
namespace {

// Share of pixels that differ visibly (more than 8 of 255 in a channel).
double difference(const std::string& a, const std::string& b) {
  if (a.empty() || a.size() != b.size()) return 1;
  size_t differing = 0;
  for (size_t i = 0; i < a.size(); i += 3) {
    for (size_t c = i; c < i + 3; ++c) {
      if (std::abs(static_cast<unsigned char>(a[c]) - static_cast<unsigned char>(b[c])) > 8) {
        ++differing;
        break;
      }
    }
  }
  return static_cast<double>(differing) / static_cast<double>(a.size() / 3);
}

size_t distinct_colours(const std::string& picture) {
  std::set<std::string> colours;
  for (size_t i = 0; i + 3 <= picture.size(); i += 3) colours.insert(picture.substr(i, 3));
  return colours.size();
}

void settle(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class Window : public Drawing {
 protected:
  void SetUp() override {
    Drawing::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    display_ = std::make_unique<XDisplay>();
    ASSERT_TRUE(display_->ready()) << "Xvfb does not start: " << display_->complaint();
  }

  // Opens the window and waits until the scene is on the screen and the pointer over it.
  void open(const std::vector<std::string>& more = {}) {
    Environment environment = display_->environment();
    environment["FULGURITE_VALIDATION"] = "1";
    environment["XDG_CONFIG_HOME"] = environment["XDG_STATE_HOME"] = environment["XDG_CACHE_HOME"] =
        in_folder("");  // a first start, and no trace of it in the home of whoever runs this
    std::vector<std::string> words = {
        program(),
        "view",
        "-p",
        "ROMEO:",
        "-n",
        "48",
        "--seed",
        "1",
        "--window-size",
        std::to_string(XDisplay::kWidth) + "x" + std::to_string(XDisplay::kHeight)};
    words.insert(words.end(), more.begin(), more.end());
    if (in_the_folder_) {
      words[0] = std::filesystem::absolute(words[0]).string();
      words.insert(words.begin(), {"env", "-C", in_folder("")});
    }
    program_ = std::make_unique<tests::Process>(words, environment);
    const Outcome found =
        display_->xdotool({"search", "--sync", "--onlyvisible", "--name", "fulgurite"});
    ASSERT_EQ(found.exit_code, 0) << program_->err();
    window_ = found.out.substr(0, found.out.find('\n'));
    display_->xdotool(
        {"windowmove", window_, "0", "0", "mousemove", "640", "400", "windowfocus", window_});
    ASSERT_TRUE(eventually([&] { return distinct_colours(display_->screenshot()) > 200; }))
        << "nothing on the screen: " << program_->err();
    // Where pictures come slowly the next one is the slowest: it makes what the first had no need
    // for.
    const std::string first = display_->screenshot();
    eventually([&] { return display_->screenshot() != first; });
  }

  bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 60 && program_->running(); ++i) {
      if (holds()) return true;
      settle(500);
    }
    return false;
  }

  // Pauses (the prompt and all 48 tokens lie behind) and waits until the picture stands still, and
  // long enough for the one that is drawn at full resolution then.
  void stand_still() {
    display_->key("space");
    stand_still_again();
  }

  void stand_still_again() {
    std::string last = display_->screenshot();
    ASSERT_TRUE(eventually([&] {
      settle(1500);
      const std::string now = display_->screenshot();
      const bool still = difference(last, now) < 0.002;
      last = now;
      return still;
    })) << "the picture moves on while paused";
  }

  void expect_clean_end() {
    const Outcome outcome = program_->wait(std::chrono::seconds(30));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    for (const char* word :
         {"vulkan:", "VUID", "alidation Error", "alidation Warning", "UNASSIGNED", "SYNC-HAZARD"}) {
      EXPECT_EQ(outcome.err.find(word), std::string::npos) << outcome.err;
    }
  }

  bool in_the_folder_ = false;  // where it saves what it is asked to save
  std::unique_ptr<XDisplay> display_;
  std::unique_ptr<tests::Process> program_;
  std::string window_;
};

TEST_F(Window, MouseAndKeysMoveTheScene) {
  open();
  if (HasFatalFailure()) return;
  const std::string first = display_->screenshot();
  EXPECT_TRUE(eventually([&] { return difference(first, display_->screenshot()) > 0.002; }))
      << "no token arrives";
  stand_still();

  std::string before = display_->screenshot();
  const auto expect_change = [&](const char* what, double at_least) {
    EXPECT_TRUE(eventually([&] { return difference(before, display_->screenshot()) > at_least; }))
        << what;
    settle(1500);  // camera moves ease out
    before = display_->screenshot();
  };
  display_->drag(600, 420, 760, 380);
  expect_change("orbit", 0.02);
  display_->xdotool({"mousemove", "640", "400", "click", "--repeat", "5", "--delay", "100", "4"});
  expect_change("zoom", 0.02);
  display_->key("Left");
  expect_change("one step back", 0.0005);
  display_->key("F1");
  expect_change("help opens", 0.005);
  display_->key("Escape");
  expect_change("help closes", 0.005);
  EXPECT_TRUE(program_->running()) << program_->err();

  display_->key("ctrl+q");
  expect_clean_end();
}

// Focus brings the head to the middle of the window; a click there must find it again.
TEST_F(Window, AClickOnAHeadShowsItsAttentionWeights) {
  open({"--select", "L3.H1"});
  if (HasFatalFailure()) return;
  const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
  const std::string expected = "fulgurite: layer 3 > attention > head 1 [blk.3.attn.weights]\n";
  EXPECT_TRUE(eventually([&] { return title() == expected; })) << title();
  display_->key("f");
  settle(2500);
  display_->key("Escape");
  EXPECT_TRUE(eventually([&] { return title() == "fulgurite\n"; })) << title();
  // With a pointer that jumps from a panel to the scene and back, as a touch does.
  const auto jump_and_click = [&](int x, int y) {
    display_->xdotool({"mousemove", std::to_string(x), std::to_string(y), "click", "1"});
  };
  display_->xdotool({"mousemove", "60", "60"});
  settle(500);
  jump_and_click(XDisplay::kWidth / 2, XDisplay::kHeight / 2);
  EXPECT_TRUE(eventually([&] { return title() == expected; })) << title();
  settle(500);
  jump_and_click(60, 60);
  settle(1000);
  EXPECT_EQ(expected, title()) << "a panel was clicked, not the scene behind it";
  display_->key("ctrl+q");
  expect_clean_end();
}

TEST_F(Window, OpensWithTheTensorThatWasNamed) {
  open({"--select", "L3.H1", "--tensor", "attn.z"});
  if (HasFatalFailure()) return;
  const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
  const std::string expected = "fulgurite: layer 3 > attention > head 1 [blk.3.attn.z]\n";
  EXPECT_TRUE(eventually([&] { return title() == expected; })) << title();
  display_->key("ctrl+q");
  expect_clean_end();
}

// What cannot be shown leaves what is shown.
TEST_F(Window, OpensAnotherModelOrATraceInItsPlace) {
  const std::string trace = in_folder("talk.mcap");
  ASSERT_EQ(0, fulgurite({"run", "-p", "JULIET:", "-n", "6", "--mute", "L3.H0", "--trace", trace})
                   .exit_code);
  open({"--select", "L3.H1"});
  if (HasFatalFailure()) return;
  const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
  const std::string selected = "fulgurite: layer 3 > attention > head 1 [blk.3.attn.weights]\n";
  ASSERT_TRUE(eventually([&] { return title() == selected; })) << title();
  const auto open_another = [&](const std::string& what) {
    display_->key("ctrl+o");
    settle(1000);
    display_->xdotool({"type", "--delay", "60", what});
    settle(500);
    display_->key("Return");
  };
  open_another("no-such-model.gguf");
  settle(2000);
  EXPECT_EQ(selected, title()) << program_->err();
  std::ofstream(in_folder("wrong.mcap")) << tests::read_file(trace).substr(0, 300);
  open_another(in_folder("wrong.mcap"));
  settle(2000);
  EXPECT_EQ(selected, title()) << program_->err();
  open_another(trace);
  EXPECT_TRUE(eventually([&] { return title() == "fulgurite\n"; })) << title();
  // Of the model that runs: it answers.
  display_->key("ctrl+p");
  settle(700);
  display_->xdotool({"type", "l3.h1"});
  settle(700);
  display_->key("Return");
  EXPECT_TRUE(eventually([&] { return title() == selected; })) << title();
  const auto muted = [&] { return title().find("muted") != std::string::npos; };
  display_->key("x");
  EXPECT_TRUE(eventually(muted)) << title();
  display_->key("shift+Page_Down");
  EXPECT_TRUE(eventually(muted)) << "what the trace was recorded without: " << title();
  display_->key("shift+x");
  EXPECT_TRUE(eventually([&] { return !muted(); })) << title();
  display_->key("End");
  display_->key("space");
  stand_still_again();
  const std::string still = display_->screenshot();
  open_another("assets/fulgurite.gguf");
  EXPECT_TRUE(eventually([&] { return difference(still, display_->screenshot()) > 0.01; }))
      << "no token arrives";
  EXPECT_TRUE(program_->running()) << program_->err();
  display_->key("ctrl+q");
  expect_clean_end();
}

TEST_F(Window, WatchesAnotherProcessInItsPlace) {
  const std::string path = in_folder("socket");
  tests::Process served({program(), "run", "-p", "JULIET:", "-n", "6", "--serve", "unix:" + path});
  open({"--select", "L3.H1"});
  if (HasFatalFailure()) return;
  const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
  ASSERT_TRUE(eventually([&] { return title() != "fulgurite\n"; })) << title();
  display_->key("ctrl+o");
  settle(1000);
  display_->xdotool({"type", "--delay", "60", "unix:" + path});
  settle(500);
  display_->key("Return");
  EXPECT_TRUE(eventually([&] { return title() == "fulgurite\n"; })) << title();
  const Outcome outcome = served.wait(std::chrono::seconds(30));
  EXPECT_EQ(0, outcome.exit_code) << outcome.err;
  display_->key("x");  // nobody answers: a sentence
  display_->key("p");  // nor is there a prompt that would keep the keys
  settle(1000);
  display_->key("ctrl+p");
  settle(700);
  display_->xdotool({"type", "l3.h1"});
  settle(700);
  display_->key("Return");
  EXPECT_TRUE(eventually([&] { return title() != "fulgurite\n"; })) << title();
  EXPECT_TRUE(program_->running()) << program_->err();
  display_->key("ctrl+q");
  expect_clean_end();
}

// Somebody who accepts, and says nothing.
TEST_F(Window, CanBeUsedAndClosedWhileItWaits) {
  const std::string path = in_folder("socket");
  sockaddr_un at = {};
  at.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof at.sun_path);
  path.copy(at.sun_path, path.size());
  const int silent = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(0, bind(silent, reinterpret_cast<sockaddr*>(&at), sizeof at));
  ASSERT_EQ(0, listen(silent, 4));
  Environment environment = display_->environment();
  environment["XDG_CONFIG_HOME"] = environment["XDG_STATE_HOME"] = environment["XDG_CACHE_HOME"] =
      in_folder("");
  program_ = std::make_unique<tests::Process>(
      std::vector<std::string>{program(), "view", "unix:" + path}, environment);
  const Outcome found =
      display_->xdotool({"search", "--sync", "--onlyvisible", "--name", "fulgurite"});
  window_ = found.out.substr(0, found.out.find('\n'));
  const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
  EXPECT_TRUE(eventually([&] { return title() == "fulgurite: waiting for unix:" + path + "\n"; }))
      << title();
  display_->xdotool({"mousemove", "640", "400", "windowfocus", window_, "click", "1"});
  for (const char* key : {"f", "x", "Right", "ctrl+p", "Page_Up", "F9", "space"})
    display_->key(key);
  settle(1000);
  EXPECT_TRUE(program_->running()) << program_->err();
  display_->xdotool(
      {"keydown", "ctrl", "keydown", "q", "sleep", "1", "keyup", "q", "keyup", "ctrl"});
  expect_clean_end();
  close(silent);
}

TEST_F(Window, MutesWhatIsSelectedAndLetsItSpeakAgain) {
  const std::string trace = in_folder("talks.mcap");
  open({"--select", "L3.H1", "--trace", trace});
  if (HasFatalFailure()) return;
  const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
  const auto becomes = [&](const char* words) {
    const std::string expected =
        std::string("fulgurite: layer 3 > attention > head 1") + words + " [blk.3.attn.weights]\n";
    EXPECT_TRUE(eventually([&] { return title() == expected; })) << title();
  };
  becomes("");
  display_->key("x");
  becomes(", muted");
  display_->key("x");
  becomes("");
  display_->key("x");
  becomes(", muted");
  display_->key("shift+x");
  becomes("");
  display_->key("Escape");
  display_->key("x");  // nothing is selected: a sentence, no new conversation
  settle(2000);
  display_->key("ctrl+q");
  expect_clean_end();
  // Each is a conversation of its own in the trace.
  const auto shot = [&](const char* conversation) {
    return fulgurite({"shot", trace, "--conversation", conversation, "--window-size", "64x64", "-o",
                      in_folder("shot.png")});
  };
  EXPECT_EQ(0, shot("5").exit_code);
  EXPECT_NE(0, shot("6").exit_code);
}

// What R and a selected candidate ask of the engine is answered, and stands in the trace.
TEST_F(Window, ReadsTheStreamAndExplainsACandidate) {
  const std::string trace = in_folder("asked.mcap");
  open({"--select", "C0", "--trace", trace});
  if (HasFatalFailure()) return;
  stand_still();
  display_->key("Home");
  settle(1000);
  const std::string before = display_->screenshot();
  display_->key("r");
  EXPECT_TRUE(eventually([&] { return difference(before, display_->screenshot()) > 0.0005; }))
      << "nothing is said of the readings";
  settle(1000);
  display_->key("ctrl+q");
  expect_clean_end();
  const auto shot = [&](const char* name, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"shot", trace, "--at", "0.9", "--window-size", "640x480", "-o", in_folder(name)});
    EXPECT_EQ(0, fulgurite(more).exit_code);
    return tests::read_file(in_folder(name));
  };
  EXPECT_NE(shot("plain.png", {"--panels", "labels"}),
            shot("lens.png", {"--panels", "labels", "--lens"}));
}

// Without a pointer: a node by its name, its neighbours, a command by its words.
TEST_F(Window, IsLedByTheKeyboardAlone) {
  open();
  if (HasFatalFailure()) return;
  const auto choose = [&](const char* words) {
    display_->key("ctrl+p");
    settle(700);
    display_->xdotool({"type", words});
    settle(700);
    display_->key("Return");
  };
  const auto is_selected = [&](const std::string& node) {
    const std::string expected = "fulgurite: " + node;
    const auto title = [&] { return display_->xdotool({"getwindowname", window_}).out; };
    EXPECT_TRUE(eventually([&] { return title().starts_with(expected); })) << title();
  };
  choose("l3.h1");
  is_selected("layer 3 > attention > head 1");
  display_->key("Page_Up");
  is_selected("layer 4 > attention > head 1");
  display_->key("shift+Page_Down");
  is_selected("layer 4 > attention > head 0");
  // Its strongest bolt, with what it means; and another size of the text it is told in.
  display_->key("n");
  EXPECT_TRUE(eventually([&] {
    const std::string title = display_->xdotool({"getwindowname", window_}).out;
    return title.find("layer 4 head 0") != std::string::npos;
  }));
  for (int i = 0; i < 3; ++i) display_->key("ctrl+equal");
  choose("l3.h1");
  is_selected("layer 3 > attention > head 1");
  display_->key("p");
  settle(700);
  display_->key("Escape");
  settle(700);
  is_selected("layer 3 > attention > head 1");  // Escape left the line alone
  display_->key("Escape");                      // takes the message of the text's size away
  settle(700);
  choose("select nothing");
  EXPECT_TRUE(eventually([&] {
    return display_->xdotool({"getwindowname", window_}).out == "fulgurite\n";
  }));
  choose("c0");
  is_selected("crown > candidate 0");
  choose("quit");
  expect_clean_end();
}

// Pictures and films, each beside the last; a film that runs is finished when the program ends.
TEST_F(Window, SavesPicturesAndFilms) {
  in_the_folder_ = true;
  open();
  if (HasFatalFailure()) return;
  const auto saved = [&](const char* file) {
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(in_folder(file)); })) << file;
  };
  for (const char* picture : {"fulgurite-1.png", "fulgurite-2.png"}) {
    display_->key("F12");
    saved(picture);
  }
  // Asked of the file, decoding all of it: its size, and how many frames it has.
  const auto frames = [&](const char* file) {
    const Outcome told = tests::run_program(
        {"ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries",
         "stream=width,height,nb_read_frames", "-of", "csv=p=0", in_folder(file)},
        kNoDisplay);
    const std::string size =
        std::to_string(XDisplay::kWidth) + "," + std::to_string(XDisplay::kHeight) + ",";
    EXPECT_EQ(size, told.out.substr(0, size.size())) << told.out << told.err;
    return std::atoi(told.out.substr(std::min(size.size(), told.out.size())).c_str());
  };
  display_->key("F9");
  saved("fulgurite-1.mp4");
  settle(3000);
  display_->key("F9");
  settle(3000);
  EXPECT_GE(frames("fulgurite-1.mp4"), 60) << "of 3 s";
  display_->key("F9");
  saved("fulgurite-2.mp4");
  settle(1000);
  display_->key("ctrl+q");
  expect_clean_end();
  EXPECT_GE(frames("fulgurite-2.mp4"), 20) << "of 1 s";
}

// A bookmark is kept for the next program, and --camera finds it there.
TEST_F(Window, BookmarksAreSetAndGoneTo) {
  open();
  if (HasFatalFailure()) return;
  // Over the sky, where nothing is named or lit because of the mouse.
  display_->xdotool({"mousemove", "1200", "60"});
  stand_still();
  // Above the panels, which say what was last done.
  const auto scene = [&] {
    return display_->screenshot().substr(0, size_t{3} * XDisplay::kWidth * 560);
  };
  const std::string marked = scene();
  display_->key("ctrl+3");
  const fs::path folder = fs::path(in_folder("")) / "fulgurite" / "bookmarks";
  EXPECT_TRUE(eventually([&] { return fs::exists(folder) && !fs::is_empty(folder); }));
  display_->drag(1000, 120, 1200, 60);
  EXPECT_TRUE(eventually([&] { return difference(marked, scene()) > 0.02; }));
  display_->key("alt+3");
  EXPECT_TRUE(eventually([&] { return difference(marked, scene()) < 0.02; })) << "and back";
  display_->key("ctrl+q");
  expect_clean_end();

  Environment environment = kNoDisplay;
  environment["XDG_STATE_HOME"] = in_folder("");
  const std::vector<std::string> words = {
      "shot", "-p", "A", "-n", "1", "--window-size", "64x64", "-o", in_folder("x.png"), "--camera"};
  for (const auto& [name, code] : {std::pair("@3", 0), std::pair("@4", 2), std::pair("@0", 2)}) {
    std::vector<std::string> all = words;
    all.emplace_back(name);
    EXPECT_EQ(fulgurite(all, environment).exit_code, code) << name;
  }
}

TEST_F(Window, ComesBackAfterItWasMadeAsSmallAsAPixel) {
  open();
  if (HasFatalFailure()) return;
  display_->xdotool({"windowsize", window_, "1", "1"});
  settle(1500);
  display_->xdotool(
      {"windowsize", window_, std::to_string(XDisplay::kWidth), std::to_string(XDisplay::kHeight)});
  EXPECT_TRUE(eventually([&] { return distinct_colours(display_->screenshot()) > 200; }));
  display_->xdotool({"windowfocus", window_});
  display_->key("ctrl+q");
  expect_clean_end();
}

// Paused, with the mouse at rest, the program has nothing to do, and does nothing.
TEST_F(Window, UsesNoTimeWhileNothingMoves) {
  const std::string timings = in_folder("timings.jsonl");
  open({"--timings", timings});
  if (HasFatalFailure()) return;
  stand_still();
  settle(2000);
  const size_t frames = lines_of(timings).size();
  EXPECT_GT(frames, 10U);
  const double before = program_->cpu_seconds();
  settle(4000);
  EXPECT_LT(program_->cpu_seconds() - before, 0.12) << "3 % of a core";
  EXPECT_EQ(lines_of(timings).size(), frames) << "frames were drawn";
  display_->key("ctrl+q");
  expect_clean_end();
}

// Sizes, minimising and full screen in quick turns: the scene comes back, and no object is left
// over.
TEST_F(Window, AStormOfSizesLeavesNothingBehind) {
  const std::string timings = in_folder("timings.jsonl");
  open({"--timings", timings});
  if (HasFatalFailure()) return;
  stand_still();
  settle(2000);
  const auto live = [&] {
    const std::vector<std::string> lines = lines_of(timings);
    return lines.empty() ? nlohmann::json() : nlohmann::json::parse(lines.back())["live"];
  };
  const nlohmann::json before = live();
  ASSERT_GT(before["images"].get<int>(), 0) << before;
  const std::string width = std::to_string(XDisplay::kWidth);
  const std::string height = std::to_string(XDisplay::kHeight);
  for (int i = 0; i < 12; ++i) {
    const std::string w = std::to_string(200 + 173 * i % 900);
    const std::string h = std::to_string(150 + 97 * i % 600);
    display_->xdotool({"windowsize", window_, w, h, "sleep", "0.05", "windowsize", window_, h, w,
                       "sleep", i % 2 == 0 ? "0.02" : "0.3"});
    if (i % 4 == 1)
      display_->xdotool({"windowunmap", window_, "sleep", "0.2", "windowmap", window_});
    if (i % 4 == 3) display_->xdotool({"windowfocus", window_, "key", "F11", "sleep", "0.2"});
  }
  display_->xdotool({"windowmap", window_, "windowsize", window_, width, height, "windowmove",
                     window_, "0", "0", "windowfocus", window_});
  EXPECT_TRUE(eventually([&] { return distinct_colours(display_->screenshot()) > 200; }));
  stand_still_again();
  EXPECT_TRUE(eventually([&] { return live() == before; }))
      << "before: " << before << "\nafter: " << live();
  display_->key("ctrl+q");
  expect_clean_end();
}

TEST_F(Window, TerminationIsACleanEnd) {
  open();
  if (HasFatalFailure()) return;
  program_->send(SIGTERM);
  expect_clean_end();
}

}  // namespace
}  // namespace cli
