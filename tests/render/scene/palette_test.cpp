// Channels can be told apart by everybody, on a dark and on a light ground, and none is a
// saturated red. Colour blindness as Machado, Oliveira & Fernandes 2009 simulate it ("A
// Physiologically-based Model for Simulation of Color Vision Deficiency", table of severity 1.0).
#include "render/scene/palette.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

using glm::vec3;
using scene::Channels;
using scene::PaletteName;
using scene::Theme;

struct Vision {
  const char* name;
  float row[3][3];  // on linear rgb
};
constexpr Vision kVisions[] = {
    {"trichromat", {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {"protanope",
     {{0.152286F, 1.052583F, -0.204868F},
      {0.114503F, 0.786281F, 0.099216F},
      {-0.003882F, -0.048116F, 1.051998F}}},
    {"deuteranope",
     {{0.367322F, 0.860646F, -0.227968F},
      {0.280085F, 0.672501F, 0.047413F},
      {-0.011820F, 0.042940F, 0.968881F}}},
    {"tritanope",
     {{1.255528F, -0.076749F, -0.178779F},
      {-0.078411F, 0.930809F, 0.147602F},
      {0.004733F, 0.691367F, 0.303900F}}},
};

vec3 seen(const Vision& vision, vec3 rgb) {
  vec3 out(0.0F);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out[i] += vision.row[i][j] * rgb[j];
  }
  return glm::clamp(out, vec3(0.0F), vec3(1.0F));
}

// CIE 1976 L*a*b* under D65, from linear sRGB (IEC 61966-2-1).
vec3 lab(vec3 c) {
  const auto f = [](float t) {
    return t > 216.0F / 24389.0F ? std::cbrt(t) : (24389.0F / 27.0F * t + 16.0F) / 116.0F;
  };
  const float x = f((0.4124564F * c.r + 0.3575761F * c.g + 0.1804375F * c.b) / 0.95047F);
  const float y = f(0.2126729F * c.r + 0.7151522F * c.g + 0.0721750F * c.b);
  const float z = f((0.0193339F * c.r + 0.1191920F * c.g + 0.9503041F * c.b) / 1.08883F);
  return {116.0F * y - 16.0F, 500.0F * (x - y), 200.0F * (y - z)};
}

template <class F>
void every_palette(F&& f) {
  for (size_t i = 0; i < scene::kPaletteCount; ++i) {
    for (const Theme theme : {Theme::kDark, Theme::kLight}) {
      SCOPED_TRACE(::testing::Message() << scene::palette_names()[i] << ", "
                                        << (theme == Theme::kDark ? "dark" : "light"));
      const auto name = static_cast<PaletteName>(i);
      f(name, theme, scene::palette(theme, name));
    }
  }
}

TEST(Palette, EverybodyTellsAnyTwoChannelsApart) {
  every_palette([](PaletteName name, Theme, const scene::Palette& p) {
    const float least = name == PaletteName::kMono       ? 8.0F
                        : name == PaletteName::kContrast ? 22.0F
                                                         : 16.0F;
    for (const Vision& vision : kVisions) {
      for (uint32_t a = 0; a < shaders::kChannelCount; ++a) {
        for (uint32_t b = 0; b < a; ++b) {
          EXPECT_GE(glm::distance(lab(seen(vision, p.channel[a])), lab(seen(vision, p.channel[b]))),
                    least)
              << scene::channel_name(a) << " and " << scene::channel_name(b) << " to a "
              << vision.name;
        }
      }
    }
  });
}

// The sign of a cell's number, at half of full colour and beyond, and that it is not zero.
TEST(Palette, EverybodyTellsACellBelowZeroFromOneAbove) {
  every_palette([](PaletteName, Theme, const scene::Palette& p) {
    const auto& [below, zero, above, words] = p.cells;
    for (const Vision& vision : kVisions) {
      for (const float value : {0.25F, 0.5F, 1.0F, 3.0F}) {
        const vec3 low = lab(seen(vision, shaders::cell_color(below, zero, above, -value)));
        const vec3 none = lab(seen(vision, shaders::cell_color(below, zero, above, 0.0F)));
        const vec3 high = lab(seen(vision, shaders::cell_color(below, zero, above, value)));
        EXPECT_GE(glm::distance(low, high), 20.0F) << value << " to a " << vision.name;
        EXPECT_GE(glm::distance(low, none), 13.5F) << value << " to a " << vision.name;
        EXPECT_GE(glm::distance(high, none), 13.5F) << value << " to a " << vision.name;
      }
    }
  });
}

TEST(Palette, ACellIsTheFartherFromZeroTheLargerItsNumber) {
  every_palette([](PaletteName, Theme, const scene::Palette& p) {
    const auto& [below, zero, above, words] = p.cells;
    for (const float sign : {-1.0F, 1.0F}) {
      float before = 0.0F;
      for (const float size : {0.05F, 0.2F, 0.5F, 1.0F}) {
        const vec3 colour = shaders::cell_color(below, zero, above, sign * size);
        const float apart = glm::distance(lab(colour), lab(zero));
        EXPECT_GT(apart, before + 1.0F) << sign * size;
        before = apart;
      }
    }
  });
}

TEST(Palette, CellsWithoutColoursAreGreyInMonochrome) {
  for (const Theme theme : {Theme::kDark, Theme::kLight}) {
    const scene::CellColours c = scene::palette(theme, PaletteName::kMono).cells;
    for (const vec3 colour : {c.below, c.zero, c.above}) {
      EXPECT_EQ(colour.r, colour.g);
      EXPECT_EQ(colour.g, colour.b);
    }
    EXPECT_LT(c.below.r, c.zero.r);
    EXPECT_GT(c.above.r, c.zero.r);
  }
}

TEST(Palette, ThisTestSeesWhatADeuteranopeCannot) {
  const Vision& deuteranope = kVisions[2];
  const vec3 red(0.30F, 0.06F, 0.02F), green(0.085F, 0.14F, 0.02F);
  EXPECT_GT(glm::distance(lab(red), lab(green)), 50.0F);
  EXPECT_LT(glm::distance(lab(seen(deuteranope, red)), lab(seen(deuteranope, green))), 16.0F);
}

TEST(Palette, MonochromeIsGreyAndDiffersInLightnessAlone) {
  for (const Theme theme : {Theme::kDark, Theme::kLight}) {
    for (const vec3 c : scene::palette(theme, PaletteName::kMono).channel) {
      EXPECT_EQ(c.r, c.g);
      EXPECT_EQ(c.g, c.b);
    }
  }
}

TEST(Palette, EveryChannelStandsOutFromTheGround) {
  every_palette([](PaletteName, Theme, const scene::Palette& p) {
    for (uint32_t c = 0; c < shaders::kChannelCount; ++c) {
      for (const vec3 ground : {p.background, p.horizon}) {
        EXPECT_GT(std::abs(lab(p.channel[c]).x - lab(ground).x), 25.0F) << scene::channel_name(c);
      }
    }
  });
}

// WCAG 2.2, "saturated red": R / (R + G + B) >= 0.8, of linear values.
// WCAG 2.1, 1.4.3: relative luminances, (L1 + 0.05) / (L2 + 0.05) of 4.5 at least.
TEST(Palette, WordsCanBeRead) {
  const auto byte = [](uint32_t rgba, int i) {
    const double s = (rgba >> (8 * i) & 255U) / 255.0;
    return s <= 0.04045 ? s / 12.92 : std::pow((s + 0.055) / 1.055, 2.4);
  };
  const auto luminance = [&](uint32_t rgba) {
    return 0.2126 * byte(rgba, 0) + 0.7152 * byte(rgba, 1) + 0.0722 * byte(rgba, 2);
  };
  for (const std::string_view name : scene::palette_names()) {
    const scene::Palette light = scene::palette(Theme::kLight, *scene::palette_of(name));
    const scene::Palette dark = scene::palette(Theme::kDark, *scene::palette_of(name));
    const double white = luminance(scene::rgba_of(light.background));
    const double black = luminance(scene::rgba_of(dark.background));
    for (uint32_t c = 0; c < shaders::kChannelCount; ++c) {
      const double on_white = luminance(scene::word_rgba(light, c));
      const double on_black = luminance(scene::word_rgba(dark, c));
      EXPECT_GE((white + 0.05) / (on_white + 0.05), 4.5) << name << ' ' << scene::channel_name(c);
      EXPECT_GE((on_black + 0.05) / (black + 0.05), 4.5) << name << ' ' << scene::channel_name(c);
    }
    EXPECT_GE((white + 0.05) / (luminance(light.faint_text) + 0.05), 4.5) << name;
    EXPECT_GE((luminance(dark.faint_text) + 0.05) / (black + 0.05), 4.5) << name;
  }
}

TEST(Palette, NothingIsSaturatedRed) {
  every_palette([](PaletteName, Theme, const scene::Palette& p) {
    std::vector<vec3> all(p.channel.begin(), p.channel.end());
    all.insert(all.end(), {p.cells.below, p.cells.zero, p.cells.above});
    for (const vec3 c : all) {
      if (c.r + c.g + c.b == 0.0F) continue;  // black ink
      EXPECT_LT(c.r / (c.r + c.g + c.b), 0.8F);
    }
  });
}

TEST(Palette, HasNamesThatLeadBackToIt) {
  for (size_t i = 0; i < scene::kPaletteCount; ++i) {
    EXPECT_EQ(static_cast<PaletteName>(i), scene::palette_of(scene::palette_names()[i]));
  }
  EXPECT_FALSE(scene::palette_of("rainbow"));
  EXPECT_FALSE(scene::palette_of(""));
}

TEST(Channels, AreSwitchedAndScaledByWords) {
  Channels c;
  EXPECT_FALSE(choose_channels("", "", c));
  EXPECT_EQ(Channels{}, c);
  EXPECT_FALSE(choose_channels("attention,ffn", "ffn=2,kv=0.5", c));
  EXPECT_EQ(1.0F, c.effective(shaders::kChannelAttention));
  EXPECT_EQ(2.0F, c.effective(shaders::kChannelFfn));
  EXPECT_EQ(0.0F, c.effective(shaders::kChannelKv)) << "off, whatever its gain";
  EXPECT_EQ(0.5F, c.gain[shaders::kChannelKv]);
  EXPECT_EQ(0.0F, c.effective(shaders::kChannelResidual));
}

TEST(Channels, SayWhatIsWrongWithTheWords) {
  for (const auto& [only, gains] : {std::pair{"atention", ""},
                                    {"attention,", "x"},
                                    {"", "ffn"},
                                    {"", "ffn="},
                                    {"", "ffn=-1"},
                                    {"", "ffn=4.1"},
                                    {"", "ffn=nan"},
                                    {"", "ffn=1e99"},
                                    {"", "=2"},
                                    {"", "ffn=2x"},
                                    {"kv,,ffn", ""}}) {
    Channels c;
    EXPECT_TRUE(choose_channels(only, gains, c)) << only << " | " << gains;
  }
}

}  // namespace
