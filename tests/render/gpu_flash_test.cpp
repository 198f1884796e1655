// Safe for eyes (WCAG 2.2, success criterion 2.3.1): the worst case, a prompt of 512 tokens and
// then 100 tokens a second, in all channels at once. Judged twice: by counting flashes in the
// frames as WCAG defines them, and by ffmpeg's photosensitivity filter on the video.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "render/commands/record.h"
#include "render/scene/eyes.h"
#include "render/stage.h"
#include "tests/render/gpu_fixture.h"
#include "tests/support/trace_builder.h"

namespace render::test {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kPrompt = 512, kGenerated = 300;
constexpr double kTokensASecond = 100.0;

trace::ModelRecord long_model() {
  trace::ModelRecord m = tests::small_model();
  m.layers = 6;
  m.context = 1024;
  m.neurons = m.buckets = 216;
  return m;
}

void worst_case(trace::Log& log) {
  tests::TraceBuilder builder(log, long_model());
  builder.describe();
  builder.start();
  builder.step(kPrompt);
  for (uint32_t i = 0; i < kGenerated; ++i) builder.step();
  builder.note(trace::NoteKind::kFinished, "all tokens were generated");
}

// Relative luminance over time of one patch of the picture.
using Series = std::vector<double>;

// A flash is a pair of opposing changes of relative luminance by 0.1 or more where the darker side
// is below 0.8. The most that lie within one second.
int most_flashes(const Series& series, double fps) {
  std::vector<size_t> turns;  // frames at which a change of 0.1 was completed
  int direction = 0;
  double low = series[0], high = series[0];
  for (size_t i = 0; i < series.size(); ++i) {
    low = std::min(low, series[i]);
    high = std::max(high, series[i]);
    if (direction <= 0 && series[i] - low >= 0.1 && low < 0.8) {
      direction = 1;
      high = series[i];
      turns.push_back(i);
    } else if (direction >= 0 && high - series[i] >= 0.1 && series[i] < 0.8) {
      direction = -1;
      low = series[i];
      turns.push_back(i);
    }
    if (direction > 0) low = series[i];
    if (direction < 0) high = series[i];
  }
  int most = 0;
  const auto second = static_cast<size_t>(std::lround(fps));
  for (size_t i = 0; i < turns.size(); ++i) {
    const auto end = std::lower_bound(turns.begin(), turns.end(), turns[i] + second);
    most =
        std::max(most, static_cast<int>(end - turns.begin() - static_cast<std::ptrdiff_t>(i)) / 2);
  }
  return most;
}

TEST(Flashes, AreCountedAsPairsOfOpposingChanges) {
  const auto wave = [](double hertz, double amplitude) {
    Series s;
    for (int i = 0; i < 180; ++i)
      s.push_back(0.3 + 0.5 * amplitude * std::sin(2.0 * 3.14159265 * hertz * i / 60.0));
    return s;
  };
  EXPECT_EQ(0, most_flashes(wave(8, 0.08), 60));
  EXPECT_EQ(0, most_flashes(Series(180, 0.5), 60));
  EXPECT_EQ(2, most_flashes(wave(2, 0.3), 60));
  EXPECT_GE(most_flashes(wave(8, 0.3), 60), 7);
}

// Patches of which 3 x 3 make up the field of 10 degrees (a third of the screen's width and height)
// of which a quarter must not flash.
constexpr uint32_t kAcross = 9, kDown = 9;

class Flashing : public GpuTest {
 protected:
  // Plays the worst case for two seconds; the largest share of a field that flashes more than three
  // times in a second. near: of the distance that shows the whole tower; light covers much of the
  // picture.
  double largest_area(float near, const std::function<void(View&, double)>& settings) {
    constexpr uint32_t kFramesASecond = 30, kWide = 288, kHigh = 162;
    trace::Log log;
    worst_case(log);
    Stage stage(device(), log, Quality::kWindow);
    stage.poll();
    std::array<Series, size_t{kAcross} * kDown> patches;
    Offscreen target(device(), kWide, kHigh, [&](uint64_t, std::span<const uint8_t> rgba) {
      std::array<double, size_t{kAcross} * kDown> sums{};
      for (uint32_t y = 0; y < kHigh; ++y) {
        for (uint32_t x = 0; x < kWide; ++x) {
          const auto linear = [&](uint32_t c) {
            const double s = rgba[(size_t{y} * kWide + x) * 4 + c] / 255.0;
            return s <= 0.04045 ? s / 12.92 : std::pow((s + 0.055) / 1.055, 2.4);
          };
          sums[y * kDown / kHigh * kAcross + x * kAcross / kWide] +=
              0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2);
        }
      }
      constexpr double kPixels = double{kWide} * kHigh / (kAcross * kDown);
      for (size_t i = 0; i < sums.size(); ++i) patches[i].push_back(sums[i] / kPixels);
    });
    View view;
    view.camera.pose =
        scene::home_pose(stage.layout().bounds(stage.columns_in_view()), float{kWide} / kHigh);
    view.camera.pose.distance *= near;
    view.pace = kTokensASecond;
    for (uint32_t i = 0; i < 2 * kFramesASecond; ++i) {
      view.playhead = i * kTokensASecond / kFramesASecond;
      settings(view, 2.0);
      stage.draw(target, view);
    }
    target.flush();
    double largest = 0.0;
    for (uint32_t y = 0; y + 3 <= kDown; ++y) {
      for (uint32_t x = 0; x + 3 <= kAcross; ++x) {
        int flashing = 0;
        for (uint32_t i = 0; i < 9; ++i) {
          flashing +=
              most_flashes(patches[(y + i / 3) * kAcross + x + i % 3], kFramesASecond) > 3 ? 1 : 0;
        }
        largest = std::max(largest, flashing / 9.0);
      }
    }
    return largest;
  }
};

TEST_F(Flashing, NeverCoversAQuarterOfAFieldMoreThanThreeTimesASecond) {
  for (const float near : {0.6F, 0.3F}) {
    for (const float gain : {1.0F, scene::Channels::kMostGain}) {
      const double area = largest_area(near, [&](View& view, double seconds) {
        view.look.channels.gain.fill(gain);
        view.merge = scene::merge_for(kTokensASecond * seconds, seconds, false);
      });
      EXPECT_LT(area, 0.25) << "at gain " << gain << ", from " << near;
    }
  }
}

// The same without the limiter: the test can fail.
TEST_F(Flashing, WouldCoverMoreIfStepsWereNotShownAsOne) {
  const double area = largest_area(0.6F, [](View& view, double) {
    view.look.channels.gain.fill(scene::Channels::kMostGain);
    view.pace = 0.0;  // lights may be as short as they like
    view.playhead = std::fmod(view.playhead * 0.07, 14.0) + 1.0;
  });
  EXPECT_GE(area, 0.25);
}

// What ffmpeg's filter says of a file: lines that it calls EXCEEDED.
int exceeded(const fs::path& video) {
  const std::string command = "ffmpeg -hide_banner -nostats -v verbose -i '" + video.string() +
                              "' -vf photosensitivity -f null - 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  int lines = 0, judged = 0;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    const std::string line = buffer;
    judged += line.find("badness") != std::string::npos;
    lines += line.find("EXCEEDED") != std::string::npos;
  }
  ::pclose(pipe);
  EXPECT_GT(judged, 10) << "the filter said nothing";
  return lines;
}

class FlashingVideo : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (std::system("ffmpeg -hide_banner -h filter=photosensitivity 2>&1 | grep -q threshold") != 0)
      GTEST_SKIP() << "there is no ffmpeg with the photosensitivity filter";
    file_ = fs::temp_directory_path() / ("fulgurite-flash-" + std::to_string(::getpid()) + ".mp4");
  }
  void TearDown() override {
    fs::remove(file_);
    GpuTest::TearDown();
  }
  fs::path file_;
};

TEST_F(FlashingVideo, OfTheWorstCasePassesFfmpegsFilter) {
  trace::Log log;
  worst_case(log);
  commands::RecordOptions options;
  options.scene.log = &log;
  options.scene.width = 640;
  options.scene.height = 360;
  options.output = file_.string();
  options.seconds = kGenerated / kTokensASecond;
  ASSERT_EQ(0, commands::record(options));
  EXPECT_EQ(0, exceeded(file_));
}

TEST_F(FlashingVideo, OfAStrobeDoesNot) {
  const std::string strobe =
      "ffmpeg -hide_banner -v error -y -f lavfi -i \"color=black:s=320x180:r=30:d=2,"
      "geq=lum='if(lt(mod(N,4),2),255,0)':cb=128:cr=128\" '" +
      file_.string() + "'";
  ASSERT_EQ(0, std::system(strobe.c_str()));
  EXPECT_GT(exceeded(file_), 20);
}

}  // namespace
}  // namespace render::test
