// Pictures that must stay as they are: 24 stills over scenes, zooms, themes, palettes and phases,
// each compared with its picture in tests/golden. At most 3/255 a channel, and 0.04 % of pixels
// off. Pictures hold on the software renderer and version named in tests/golden/device.txt; on
// another one these tests are skipped.
//
//   FULGURITE_UPDATE_GOLDEN=1 ./test.sh -R Golden     draws them anew; look at each of them
#include <png.h>

#include <algorithm>
#include <cstdlib>

#include "tests/cli/program.h"

namespace cli {
namespace {

struct Case {
  const char* name;
  std::vector<std::string> words;
};

const std::vector<std::string> kRomeo = {"-p", "ROMEO:", "-n", "12", "--seed", "1"};

std::vector<std::string> romeo(std::vector<std::string> more) {
  std::vector<std::string> words = kRomeo;
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      // Phases of a step: the prompt's wave, embedding, layers, crown, fall.
      {"prompt", romeo({"--at", "0.5"})},
      {"embed", romeo({"--at", "6.03"})},
      {"layers", romeo({"--at", "6.4"})},
      {"crown", romeo({"--at", "6.86"})},
      {"fall", romeo({"--at", "6.95"})},
      // Cameras, from the whole to a cell.
      {"close", romeo({"--at", "9.5", "--camera", "close"})},
      {"top", romeo({"--at", "9.5", "--camera", "top"})},
      {"back", romeo({"--at", "9.5", "--camera", "back"})},
      {"tape", romeo({"--at", "9.5", "--camera", "tape"})},
      {"storey", romeo({"--at", "9.5", "--camera", "L3"})},
      {"head", romeo({"--at", "9.5", "--camera", "L3.H1", "--select", "L3.H1"})},
      {"sheet", romeo({"--at", "9.5", "--zoom-to", "blk.3.attn_q.weight[17,20]", "--zoom", "0.7"})},
      {"cell", romeo({"--at", "9.5", "--zoom-to", "blk.3.attn_q.weight[17,20]", "--zoom", "1"})},
      // Themes, palettes, switches.
      {"light", romeo({"--at", "9.6", "--theme", "light"})},
      {"light-close", romeo({"--at", "9.6", "--theme", "light", "--camera", "close"})},
      {"viridis", romeo({"--at", "9.6", "--palette", "viridis"})},
      {"contrast", romeo({"--at", "9.6", "--palette", "contrast"})},
      {"mono", romeo({"--at", "9.6", "--palette", "mono", "--theme", "light"})},
      {"reduced-motion", romeo({"--at", "9.6", "--reduced-motion"})},
      {"show-all", romeo({"--at", "9.6", "--show-all"})},
      {"ffn-alone", romeo({"--at", "9.6", "--channels", "ffn"})},
      // Other models.
      {"side-by-side", {"--structure", "gpt2,llama3-8b"}},
      {"gpt2", {"--structure", "gpt2", "--synthetic", "--at", "2.5"}},
      {"mixture", {"--structure", "mixtral-8x7b", "--synthetic", "--at", "1.5"}},
  };
  return all;
}

struct Picture {
  uint32_t width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

Picture read_png(const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  Picture picture;
  if (png_image_begin_read_from_file(&image, path.c_str()) == 0) return picture;
  image.format = PNG_FORMAT_RGB;
  picture.rgb.resize(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, picture.rgb.data(), 0, nullptr) == 0) return {};
  picture.width = image.width;
  picture.height = image.height;
  return picture;
}

constexpr uint32_t kWidth = 640;
constexpr uint32_t kHeight = 360;
constexpr int kChannelTolerance = 3;        // of 255
constexpr double kPixelTolerance = 0.0004;  // share of pixels

// The share of pixels, right of `left`, of which a channel differs by more than the tolerance.
double pixels_off(const Picture& a, const Picture& b, uint32_t left = 0) {
  if (a.width != b.width || a.height != b.height || a.width == 0) return 1.0;
  size_t off = 0;
  size_t seen = 0;
  for (uint32_t y = 0; y < a.height; ++y) {
    for (uint32_t x = left; x < a.width; ++x, ++seen) {
      const size_t at = 3 * (size_t{y} * a.width + x);
      for (size_t c = 0; c < 3; ++c) {
        if (std::abs(int{a.rgb[at + c]} - int{b.rgb[at + c]}) <= kChannelTolerance) continue;
        ++off;
        break;
      }
    }
  }
  return static_cast<double>(off) / static_cast<double>(seen);
}

class Golden : public Drawing {
 protected:
  static fs::path folder() { return fs::current_path() / "tests" / "golden"; }
  static bool updating() { return std::getenv("FULGURITE_UPDATE_GOLDEN") != nullptr; }

  static std::string device() {
    const Outcome outcome = fulgurite({"bench-render", "--structure", "gpt2", "--window-size",
                                       "64x64", "--frames", "1", "--json"});
    const size_t at = outcome.out.find("\"device\": \"");
    if (at == std::string::npos) return {};
    return outcome.out.substr(at + 11, outcome.out.find('"', at + 11) - at - 11);
  }

  void SetUp() override {
    Drawing::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    static const std::string here = device();
    if (updating()) write(folder() / "device.txt", here + "\n");
    std::string there = read_file(folder() / "device.txt");
    there.erase(std::find(there.begin(), there.end(), '\n'), there.end());
    if (!updating() && here != there) {
      GTEST_SKIP() << "the pictures are of " << there << ", this is " << here;
    }
  }

  std::string shot(const std::vector<std::string>& words, const std::string& file) {
    std::vector<std::string> all = {"shot", "--window-size",
                                    std::to_string(kWidth) + "x" + std::to_string(kHeight), "-o",
                                    in_folder(file)};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = fulgurite(all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return in_folder(file);
  }
};

class GoldenPictures : public Golden, public testing::WithParamInterface<size_t> {};

TEST_P(GoldenPictures, IsAsItWas) {
  const Case& c = cases()[GetParam()];
  const std::string drawn = shot(c.words, "drawn.png");
  const fs::path golden = folder() / (std::string(c.name) + ".png");
  if (updating()) {
    fs::create_directories(folder());
    fs::copy_file(drawn, golden, fs::copy_options::overwrite_existing);
    return;
  }
  const Picture picture = read_png(drawn);
  EXPECT_EQ(picture.width, kWidth);
  EXPECT_EQ(picture.height, kHeight);
  const double off = pixels_off(picture, read_png(golden));
  EXPECT_LE(off, kPixelTolerance) << "of " << golden;
  if (off > kPixelTolerance) {
    const fs::path kept = fs::temp_directory_path() / ("golden-" + std::string(c.name) + ".png");
    fs::copy_file(drawn, kept, fs::copy_options::overwrite_existing);
    std::fprintf(stderr, "  %.3f %% of the pixels differ; what was drawn lies in %s\n", 1e2 * off,
                 kept.c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenPictures, testing::Range(size_t{0}, size_t{24}),
                         [](const auto& number) {
                           std::string name = cases()[number.param].name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The second model has its own trace, on the same clock; without one it stands still.
TEST_F(Golden, EveryModelSideBySideMoves) {
  constexpr uint32_t kSecond = kWidth / 2;
  const auto at = [&](const char* playhead) {
    return read_png(shot(
        {"--structure", "builtin,builtin", "--synthetic", "--camera", "0,8,22", "--at", playhead},
        "two.png"));
  };
  EXPECT_GT(pixels_off(at("3.3"), at("3.6"), kSecond), 10.0 * kPixelTolerance);
  EXPECT_LE(pixels_off(at("3.3"), at("3.3"), kSecond), kPixelTolerance);
}

// Ribbons finer than a pixel, thousands of them: none has another colour than its bolt, of which
// all are blue or violet here.
TEST_F(Golden, ABoltsEdgeHasItsColour) {
  const Picture picture = read_png(shot({"--structure", "gpt3", "--synthetic", "--at", "2.6",
                                         "--panels", "none", "--channels", "attention"},
                                        "edges.png"));
  ASSERT_EQ(picture.width, kWidth);
  constexpr int kMost = 80;  // of 255
  int reddest = 0;
  for (size_t i = 0; i < picture.rgb.size(); i += 3)
    reddest = std::max(reddest, int{picture.rgb[i]} - int{picture.rgb[i + 1]});
  EXPECT_LE(reddest, kMost);
}

// Each channel's lights at twice their strength are seen, away from the legend that says so.
TEST_F(Golden, OneMeasureTwiceAsLargeIsNoticed) {
  constexpr uint32_t kBehindLegend = 250;
  const std::vector<std::string> words = romeo({"--at", "6.4"});
  const Picture golden = read_png(shot(words, "plain.png"));
  for (const char* channel : {"residual", "attention", "kv", "ffn"}) {
    std::vector<std::string> twice = words;
    twice.insert(twice.end(), {"--gain", std::string(channel) + "=2"});
    EXPECT_GT(pixels_off(golden, read_png(shot(twice, "twice.png")), kBehindLegend),
              kPixelTolerance)
        << channel;
  }
}

}  // namespace
}  // namespace cli
