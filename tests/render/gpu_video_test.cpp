// Videos, PNG files and frame hashes: no driver needed; the video tests need ffmpeg and ffprobe.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "model/error.h"
#include "render/video/encoder.h"
#include "render/video/film.h"
#include "render/video/frame_hash.h"
#include "render/video/png.h"
#include "render/video/process.h"

namespace render {
namespace {

namespace fs = std::filesystem;

class Video : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("fulgurite-video-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    path_ = std::getenv("PATH");
  }
  void TearDown() override {
    ::setenv("PATH", path_.c_str(), 1);
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  static std::vector<uint8_t> frame(uint32_t width, uint32_t height, int time) {
    std::vector<uint8_t> rgba;
    for (uint32_t i = 0; i < width * height; ++i) {
      const auto x = static_cast<int>(i % width), y = static_cast<int>(i / width);
      for (const int value : {x * 2 + time * 5, y * 3, time * 11, 255})
        rgba.push_back(static_cast<uint8_t>(value));
    }
    return rgba;
  }

  // What ffprobe says about the first video stream, decoding all of it:
  // "codec,width,height,frames".
  static std::string probe(const fs::path& file) {
    const std::string command =
        "ffprobe -v error -count_frames -select_streams v:0 -show_entries "
        "stream=codec_name,width,height,nb_read_frames -of csv=p=0 '" +
        file.string() + "' 2>&1";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::string said;
    char buffer[256];
    while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) said += buffer;
    ::pclose(pipe);
    while (!said.empty() && (said.back() == '\n' || said.back() == ',')) said.pop_back();
    return said;
  }

  template <typename Run>
  static std::string failure(Run&& run) {
    try {
      run();
    } catch (const fulgurite::Error& error) {
      EXPECT_EQ(error.code(), fulgurite::ExitCode::kRecordingFailed);
      return error.what();
    }
    return {};
  }

  // A program named ffmpeg in a folder of its own, which is all of PATH.
  void fake_ffmpeg(const std::string& script) {
    const fs::path bin = folder_ / "bin";
    fs::create_directories(bin);
    if (!script.empty()) {
      std::ofstream(bin / "ffmpeg") << "#!/bin/sh\n" << script;
      fs::permissions(bin / "ffmpeg", fs::perms::owner_all);
    }
    ::setenv("PATH", bin.c_str(), 1);
  }

  fs::path folder_;
  std::string path_;
};

#define NEEDS_FFMPEG()                                                   \
  if (find_program("ffmpeg").empty() || find_program("ffprobe").empty()) \
  GTEST_SKIP() << "there is no ffmpeg here"

// Frames of a window come unevenly; the video's do not.
TEST_F(Video, AFilmHasEveryFrameOfItsTime) {
  const fs::path file = folder_ / "film.mp4";
  Film film({file, 64, 48, 30.0});
  film.add(0.0, frame(64, 48, 0));
  film.add(0.01, frame(64, 48, 1));  // within the same frame: the later is seen
  film.add(0.5, frame(64, 48, 20));
  film.stand(1.0);
  EXPECT_EQ(30U, film.frames());
  film.add(1.2, frame(64, 48, 40));
  film.finish(2.0);
  EXPECT_EQ("h264,64,48,60", probe(file));
}

TEST_F(Video, AFilmThatEndsAtOnceHasAFrame) {
  const fs::path file = folder_ / "film.mp4";
  Film film({file, 64, 48, 30.0});
  film.add(0.0, frame(64, 48, 0));
  film.finish(0.001);
  EXPECT_EQ("h264,64,48,1", probe(file));
}

TEST_F(Video, IsPlayableAndAsLongAsItWasMade) {
  NEEDS_FFMPEG();
  Encoder encoder({.output = folder_ / "out.mp4", .width = 160, .height = 90, .fps = 30});
  for (int i = 0; i < 45; ++i) encoder.add(frame(160, 90, i));
  encoder.finish();
  EXPECT_EQ(encoder.frames(), 45u);
  EXPECT_EQ(probe(folder_ / "out.mp4"), "h264,160,90,45");
  // Faststart: the index stands before the data, and nothing is left beside the file.
  std::ifstream file(folder_ / "out.mp4", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
  EXPECT_EQ(bytes.find("moof"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Video, OddSizesArePadded) {
  NEEDS_FFMPEG();
  Encoder encoder({.output = folder_ / "odd.mp4", .width = 161, .height = 91, .fps = 24});
  for (int i = 0; i < 3; ++i) encoder.add(frame(161, 91, i));
  encoder.finish();
  EXPECT_EQ(probe(folder_ / "odd.mp4"), "h264,162,92,3");
  EXPECT_EQ(encoder.width(), 162U);
  EXPECT_EQ(encoder.height(), 92U);
}

TEST_F(Video, WhatAKilledRecordingLeavesStillPlays) {
  NEEDS_FFMPEG();
  {
    Encoder encoder({.output = folder_ / "cut.mp4", .width = 160, .height = 90, .fps = 10});
    for (int i = 0; i < 200; ++i) encoder.add(frame(160, 90, i));
    // The file as it lies there now, as if the machine had lost power.
    for (int wait = 0; wait < 100 && fs::file_size(folder_ / "cut.mp4") < 4096; ++wait)
      ::usleep(50'000);
    fs::copy_file(folder_ / "cut.mp4", folder_ / "copy.mp4");
  }
  const std::string said = probe(folder_ / "copy.mp4");
  EXPECT_NE(said.find("h264,160,90,"), std::string::npos) << said;
  EXPECT_GE(std::atoi(said.substr(said.rfind(',') + 1).c_str()), 10) << said;
  EXPECT_EQ(probe(folder_ / "cut.mp4"),
            "h264,160,90,200");  // ended without finish(): whole, not moved
}

TEST_F(Video, APictureThatIsThereIsReplacedWhateverStandsBeside) {
  const std::vector<uint8_t> white(16, 255);
  const auto files = [&] {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  };
  write_png(folder_ / "x.png", 2, 2, white);
  EXPECT_EQ(1, files()) << "nothing is left beside it";
  std::ofstream(folder_ / "x.png.new") << "left by a program that was killed";
  const auto before = fs::file_size(folder_ / "x.png");
  std::vector<uint8_t> other(64 * 64 * 4);
  for (size_t i = 0; i < other.size(); ++i) other[i] = static_cast<uint8_t>(i * i);
  write_png(folder_ / "x.png", 64, 64, other);
  EXPECT_NE(before, fs::file_size(folder_ / "x.png"));
  EXPECT_EQ(2, files());
  const std::string longest = std::string(251, 'x') + ".png";
  for (int i = 0; i < 2; ++i) write_png(folder_ / longest, 2, 2, white);
  EXPECT_TRUE(fs::exists(folder_ / longest));
}

TEST_F(Video, IsRefusedWhereItCannotBeWritten) {
  const auto to = [](const fs::path& path) {
    return failure([&] { Encoder({.output = path, .width = 16, .height = 16}); });
  };
  EXPECT_NE(to(folder_ / "no" / "out.mp4").find("folder does not exist"), std::string::npos);
  EXPECT_NE(to(folder_).find("is a directory"), std::string::npos);
  EXPECT_NE(to("/proc/fulgurite.mp4"), "");
  EXPECT_NE(failure([&] { write_png(folder_ / "no" / "x.png", 1, 1, std::vector<uint8_t>(4)); }),
            "");
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Video, FfmpegsLastWordsAreTheError) {
  fake_ffmpeg(
      "case \"$*\" in *lavfi*) exit 0;; esac\necho first >&2\necho 'No space left on device' "
      ">&2\nexit 1\n");
  const std::string said = failure([&] {
    Encoder encoder({.output = folder_ / "out.mp4", .width = 640, .height = 360});
    for (int i = 0; i < 30; ++i) encoder.add(frame(640, 360, i));
    encoder.finish();
  });
  EXPECT_EQ(said, "ffmpeg: No space left on device");
}

TEST_F(Video, CtrlCLeavesFfmpegAlone) {
  // A group of its own: the terminal's SIGINT goes to the foreground group only.
  fake_ffmpeg(
      "case \"$*\" in *lavfi*) exit 0;; esac\nset -- $(cat /proc/$$/stat)\n"
      "echo \"group $5 of $1\" >&2\ncat > /dev/null\nexit 1\n");
  ::setenv("PATH", (folder_ / "bin:/usr/bin:/bin").c_str(), 1);
  const std::string said = failure([&] {
    Encoder encoder({.output = folder_ / "out.mp4", .width = 16, .height = 16});
    encoder.add(frame(16, 16, 0));
    encoder.finish();
  });
  int group = 0, process = 0;
  ASSERT_EQ(std::sscanf(said.c_str(), "ffmpeg: group %d of %d", &group, &process), 2) << said;
  EXPECT_EQ(group, process);
  EXPECT_NE(group, ::getpgrp());
}

TEST_F(Video, WithoutFfmpegPngFilesAreWritten) {
  fake_ffmpeg("");
  ::testing::internal::CaptureStderr();
  Encoder encoder({.output = folder_ / "out.mp4", .width = 32, .height = 20});
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("there is no ffmpeg"), std::string::npos);
  for (int i = 0; i < 3; ++i) encoder.add(frame(32, 20, i));
  encoder.finish();
  EXPECT_EQ(encoder.output(), folder_ / "out_frames");
  for (const char* name : {"000000.png", "000001.png", "000002.png"}) {
    std::ifstream file(folder_ / "out_frames" / name, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    ASSERT_GT(bytes.size(), 60u) << name;
    EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
    EXPECT_EQ(bytes.substr(16, 8), std::string("\0\0\0\x20\0\0\0\x14", 8));  // IHDR: width, height
  }
}

TEST_F(Video, FramesOfAnotherVideoStayAlone) {
  fake_ffmpeg("");
  fs::create_directories(folder_ / "out_frames");
  std::ofstream(folder_ / "out_frames/000007.png") << "older";
  const std::string said =
      failure([&] { Encoder encoder({.output = folder_ / "out.mp4", .width = 32, .height = 20}); });
  EXPECT_NE(said.find("is not empty"), std::string::npos) << said;
}

TEST(FrameHash, DependsOnEveryByteAndItsPlace) {
  std::vector<uint8_t> bytes(4099);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37);
  std::set<uint64_t> seen = {frame_hash(bytes)};
  EXPECT_EQ(frame_hash(bytes), *seen.begin());
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 1;
    EXPECT_TRUE(seen.insert(frame_hash(bytes)).second) << i;
    bytes[i] ^= 1;
  }
  std::swap(bytes[0], bytes[8]);
  EXPECT_TRUE(seen.insert(frame_hash(bytes)).second);
  EXPECT_NE(frame_hash({}), frame_hash(std::vector<uint8_t>(1, 0)));
  // Fixed for ever: files of hashes are compared between machines.
  const std::vector<uint8_t> name = {'f', 'u', 'l', 'g', 'u', 'r', 'i', 't', 'e'};
  EXPECT_EQ(frame_hash(name), 7584335398642174999u);
}

}  // namespace
}  // namespace render
