// The train and eval commands as functions: files in, files out.
#include "engine/commands/train.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "engine/commands/eval.h"
#include "model/error.h"
#include "model/format/gguf.h"

namespace engine::commands {
namespace {

namespace fs = std::filesystem;

class Train : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("fulgurite-train-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    std::string text;
    for (int i = 0; i < 300; ++i)
      text += "to be or not to be: " + std::to_string(i * i % 97) + "\n";
    std::ofstream(in_folder("text.txt"), std::ios::binary) << text;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }

  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in) << path;
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TrainOptions little(const std::string& output) const {
    TrainOptions o;
    o.text = in_folder("text.txt");
    o.output = in_folder(output);
    o.layers = 2;
    o.heads = 2;
    o.dim = 32;
    o.ctx = 32;
    o.batch = 4;
    o.steps = 40;
    o.warmup = 100;  // the rate then does not depend on --steps
    o.eval_every = 10;
    o.eval_window = 32;
    o.threads = 2;
    return o;
  }

  double loss_of(const std::string& model, int64_t window = 32) const {
    EvalOptions o;
    o.model.path = in_folder(model);
    o.text = in_folder("text.txt");
    o.window = window;
    o.threads = 1;
    o.json = true;
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(eval(o), 0);
    const auto json = nlohmann::json::parse(::testing::internal::GetCapturedStdout());
    EXPECT_NEAR(json.at("perplexity").get<double>(), std::exp(json.at("loss").get<double>()), 1e-3);
    EXPECT_EQ(json.at("tokens").get<int64_t>() % window, 0);
    return json.at("loss").get<double>();
  }

  fs::path folder_;
};

TEST_F(Train, ResumedRunEqualsTheWholeRun) {
  ASSERT_EQ(train(little("whole.gguf")), 0);
  TrainOptions half = little("half.gguf");
  half.steps = 20;
  ASSERT_EQ(train(half), 0);
  EXPECT_NE(read(in_folder("whole.gguf")), read(in_folder("half.gguf")));
  half.steps = 40;
  half.resume = half.output;
  ASSERT_EQ(train(half), 0);
  EXPECT_EQ(read(in_folder("whole.gguf")), read(in_folder("half.gguf")));
  EXPECT_EQ(read(in_folder("whole.gguf.state")), read(in_folder("half.gguf.state")));
}

TEST_F(Train, AResumedRunSaysWhatIsNew) {
  TrainOptions o = little("m.gguf");
  o.steps = 10;
  ASSERT_EQ(train(o), 0);
  o.resume = o.output;
  o.steps = 12;
  o.lr = 1e-4;
  ::testing::internal::CaptureStderr();
  ASSERT_EQ(train(o), 0);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("--steps 12 from here on, 10 before"), std::string::npos) << said;
  EXPECT_NE(said.find("--lr 0.0001 from here on, 0.003 before"), std::string::npos) << said;
  EXPECT_EQ(said.find("--batch"), std::string::npos) << "which is what it was";
}

// Losses on two texts cannot be compared: the first validation on the new one is the best so far.
TEST_F(Train, AResumedRunOnAnotherTextKeepsWhatItLearns) {
  TrainOptions o = little("m.gguf");
  ASSERT_EQ(train(o), 0);
  std::string noise;
  for (int64_t i = 0; i < 6000; ++i) noise += static_cast<char>('!' + i * i * 7919 % 89);
  std::ofstream(in_folder("text.txt"), std::ios::binary) << noise;
  const double before = loss_of("m.gguf");
  o.resume = o.output;
  o.steps = 80;
  ::testing::internal::CaptureStderr();
  ASSERT_EQ(train(o), 0);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("another text"), std::string::npos);
  EXPECT_LT(loss_of("m.gguf"), before);
}

TEST_F(Train, LogAndCheckpoints) {
  TrainOptions o = little("m.gguf");
  o.log = in_folder("loss.jsonl");
  o.log_every = 7;
  o.checkpoints = in_folder("made/by/train");
  o.checkpoint_steps = {0, 3, 40};
  ASSERT_EQ(train(o), 0);
  std::ifstream lines(o.log);
  int64_t last = -1;
  int validations = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_GT(json.at("step").get<int64_t>(), last);
    last = json.at("step").get<int64_t>();
    validations += json.contains("val_loss") ? 1 : 0;
    EXPECT_TRUE(last == 0 || json.at("train_loss").get<double>() > 0.0);
  }
  EXPECT_EQ(last, 40);
  EXPECT_EQ(validations, 5);  // 0, 10, 20, 30, 40
  for (const char* name : {"step-000000.gguf", "step-000003.gguf", "step-000040.gguf"}) {
    EXPECT_EQ(model::open_gguf(o.checkpoints + "/" + name).tensors().size(), 20u) << name;
  }
  EXPECT_NEAR(loss_of("made/by/train/step-000000.gguf"), std::log(256.0), 0.2);
  EXPECT_LT(loss_of("m.gguf"), loss_of("made/by/train/step-000003.gguf"));
}

TEST_F(Train, ALogWithoutRoomCostsTheLogAlone) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
  TrainOptions o = little("m.gguf");
  o.log = "/dev/full";
  o.log_every = 1;
  EXPECT_EQ(train(o), 1) << "something is missing";
  EXPECT_LT(loss_of("m.gguf"), std::log(256.0));
  EXPECT_TRUE(std::filesystem::exists(in_folder("m.gguf.state")));
}

TEST_F(Train, ALogThatWasCutOffGoesOn) {
  TrainOptions o = little("m.gguf");
  o.log = in_folder("loss.jsonl");
  o.log_every = 5;
  o.steps = 20;
  ASSERT_EQ(train(o), 0);
  std::ofstream(o.log, std::ios::app) << "{\"st";
  o.resume = o.output;
  o.steps = 30;
  ASSERT_EQ(train(o), 0);
  std::ifstream lines(o.log);
  int64_t last = -1;
  for (std::string line; std::getline(lines, line);)
    last = nlohmann::json::parse(line).at("step").get<int64_t>();
  EXPECT_EQ(30, last);
}

TEST_F(Train, InterruptSavesAndStops) {
  TrainOptions o = little("m.gguf");
  o.steps = 1'000'000;
  o.eval_every = 1'000'000;
  o.log = in_folder("log");
  std::thread killer([&] {
    // Until it has learned something, however slow the machine is.
    while (!fs::exists(o.log) || fs::file_size(o.log) < 4000) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::kill(::getpid(), SIGINT);
  });
  EXPECT_EQ(train(o), 0);
  killer.join();
  EXPECT_LT(loss_of("m.gguf"), std::log(256.0));
  // Whoever goes on does so as if it had not been stopped: what was best is so at a step at which
  // the whole run would have validated as well.
  std::array<int64_t, 2> steps{};
  std::ifstream state(o.output + ".state", std::ios::binary);
  state.seekg(8 + 4 + 4 + 8 * 8 + 8);
  state.read(reinterpret_cast<char*>(steps.data()), sizeof steps);
  EXPECT_GT(steps[0], 0);
  EXPECT_EQ(steps[1], 0);
  o.resume = o.output;
  o.steps = 1;  // already behind us: nothing left to do, and nothing breaks
  EXPECT_EQ(train(o), 0);
}

// What a stop left out is made up for when the run goes on, and what it left behind stays.
TEST_F(Train, AStopCostsNothing) {
  ASSERT_EQ(train(little("whole.gguf")), 0);
  TrainOptions o = little("m.gguf");
  o.steps = 30;
  o.eval_every = 1000;  // as if the validations at 10, 20 and 30 had been left out
  ASSERT_EQ(train(o), 0);
  const double before = loss_of("m.gguf");
  o.resume = o.output;
  o.eval_every = 10;
  o.steps = 30;
  ASSERT_EQ(train(o), 0);
  EXPECT_EQ(loss_of("m.gguf"), before);
  o.steps = 40;
  ASSERT_EQ(train(o), 0);
  EXPECT_LE(loss_of("m.gguf"), before);
  // The state alone is enough.
  fs::remove(o.output);
  ASSERT_EQ(train(o), 0);
  EXPECT_EQ(read(in_folder("whole.gguf")), read(in_folder("m.gguf")));
}

TEST_F(Train, WhatIsProtectedIsSaidBeforeTraining) {
  TrainOptions o = little("m.gguf");
  o.steps = 10;
  ASSERT_EQ(train(o), 0);
  fs::permissions(o.output + ".state", fs::perms::owner_read);
  o.resume = o.output;
  o.steps = 1'000'000'000;
  EXPECT_THROW(train(o), fulgurite::Error);
  fs::permissions(o.output + ".state", fs::perms::owner_read | fs::perms::owner_write);
  o.log = in_folder("text.txt");
  EXPECT_THROW(train(o), fulgurite::Error) << "no log of a run";
  EXPECT_GT(fs::file_size(o.log), 1000U);
}

// A model that sees 16 tokens is chosen by what it makes of 16.
TEST_F(Train, ValidatesWithinTheContext) {
  TrainOptions o = little("m.gguf");
  o.ctx = 16;
  o.eval_window = 128;
  o.log = in_folder("log");
  ASSERT_EQ(train(o), 0);
  std::string last;
  std::ifstream lines(o.log);
  for (std::string line; std::getline(lines, line);) last = line;
  const std::string text = read(o.text);
  std::ofstream(in_folder("text.txt"), std::ios::binary) << text.substr(text.size() * 9 / 10);
  EXPECT_NEAR(nlohmann::json::parse(last).at("val_loss").get<double>(), loss_of("m.gguf", 16), 1e-3)
      << "matrices are written as F16";
}

// Before the first validation that followed training there is nothing that would be missed.
TEST_F(Train, ARunThatFailsLeavesNothingInItsWay) {
  TrainOptions o = little("m.gguf");
  o.muon = false;
  o.lr = o.min_lr = 1.0;
  o.weight_decay = 10.0;
  o.warmup = 0;
  o.steps = 3000;
  o.eval_every = 3000;
  for (int i = 0; i < 2; ++i) {
    try {
      train(o);
      ADD_FAILURE();
    } catch (const fulgurite::Error& e) {
      EXPECT_EQ(e.code(), fulgurite::ExitCode::kFailed);
      EXPECT_NE(std::string(e.what()).find("is no number at step"), std::string::npos) << e.what();
    }
  }
}

TEST_F(Train, BadInputIsRefusedBeforeTraining) {
  const auto refused = [&](auto&& change, fulgurite::ExitCode code, const std::string& word) {
    TrainOptions o = little("m.gguf");
    o.steps = 1'000'000'000;
    change(o);
    try {
      train(o);
      ADD_FAILURE() << word << " was accepted";
    } catch (const fulgurite::Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
  };
  using enum fulgurite::ExitCode;
  std::ofstream(in_folder("short.txt")) << "to be";
  std::ofstream(in_folder("empty.txt"));
  refused([&](auto& o) { o.text = in_folder("none.txt"); }, kFailed, "none.txt: no such file");
  refused([&](auto& o) { o.text = folder_.string(); }, kFailed, "directory");
  refused([&](auto& o) { o.text = in_folder("empty.txt"); }, kFailed, "empty");
  refused([&](auto& o) { o.text = in_folder("short.txt"); }, kFailed, "5 bytes");
  refused([&](auto& o) { o.output = in_folder("no/m.gguf"); }, kFailed, "folder");
  refused([&](auto& o) { o.output = folder_.string(); }, kFailed, "directory");
  refused([&](auto& o) { o.log = in_folder("no/log"); }, kFailed, "folder");
  refused([&](auto& o) { o.checkpoint_steps = {1}; }, kUsage, "--checkpoints");
  refused([&](auto& o) { o.checkpoints = in_folder("kept"); }, kUsage, "--checkpoint-steps");
  const auto kept = [&](auto& o, const char* folder, int64_t step) {
    o.checkpoints = in_folder(folder);
    o.checkpoint_steps = {step};
  };
  refused([&](auto& o) { kept(o, "kept", -3); }, kUsage, "-3 is no step of this run");
  refused([&](auto& o) { kept(o, "kept", o.steps + 1); }, kUsage, "0 to 1000000000");
  refused([&](auto& o) { kept(o, "text.txt", 1); }, kFailed, "text.txt");
  refused([&](auto& o) { o.heads = 3; }, kUsage, "--heads");
  refused([&](auto& o) { o.eval_every = 0; }, kUsage, "--eval-every");
  refused(
      [&](auto& o) {
        o.dim = 65536;
        o.layers = 1000;
      },
      kUsage, "MB");
  refused([&](auto& o) { o.resume = in_folder("none.gguf"); }, kFailed, "none.gguf.state");
  EXPECT_FALSE(fs::exists(in_folder("m.gguf")));
}

TEST_F(Train, AModelThatExistsIsNotReplaced) {
  TrainOptions o = little("m.gguf");
  const auto refusal = [&] {
    try {
      train(o);
    } catch (const fulgurite::Error& e) {
      EXPECT_EQ(e.code(), fulgurite::ExitCode::kUsage);
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  std::ofstream(o.output) << "somebody's model";
  EXPECT_NE(refusal().find("m.gguf: exists already"), std::string::npos) << refusal();
  EXPECT_EQ(read(o.output), "somebody's model");
  std::ofstream(o.output + ".state") << "somebody's run";
  EXPECT_NE(refusal().find("--resume " + o.output), std::string::npos) << refusal();
  fs::remove(o.output);
  EXPECT_NE(refusal().find("m.gguf.state: exists already"), std::string::npos) << refusal();
  EXPECT_EQ(read(o.output + ".state"), "somebody's run");
  EXPECT_FALSE(fs::exists(o.output));
  fs::remove(o.output + ".state");
  o.log = in_folder("notes.txt");
  std::ofstream(o.log) << "somebody's notes";
  EXPECT_NE(refusal().find("notes.txt: exists already"), std::string::npos) << refusal();
  o.log.clear();
  o.checkpoints = folder_.string();
  o.checkpoint_steps = {3};
  std::ofstream(in_folder("step-000003.gguf")) << "somebody's model";
  EXPECT_NE(refusal().find("step-000003.gguf: exists already"), std::string::npos) << refusal();
}

TEST_F(Train, EvalRefuses) {
  TrainOptions made = little("m.gguf");
  made.steps = 0;
  ASSERT_EQ(train(made), 0);
  const auto refused = [&](auto&& change, const std::string& word) {
    EvalOptions o;
    o.model.path = in_folder("m.gguf");
    o.text = in_folder("text.txt");
    o.window = 32;
    change(o);
    try {
      eval(o);
      ADD_FAILURE() << word << " was accepted";
    } catch (const fulgurite::Error& e) {
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
  };
  std::ofstream(in_folder("short.txt")) << "to be or not to be, that is yes";
  refused([&](auto& o) { o.window = 33; }, "--window");
  refused([&](auto& o) { o.window = -1; }, "--window");
  refused([&](auto& o) { o.text = in_folder("short.txt"); }, "too few");
  refused([&](auto& o) { o.model.path = in_folder("text.txt"); }, "text.txt");
}

}  // namespace
}  // namespace engine::commands
