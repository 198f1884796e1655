#include "render/ui/letters.h"

#include <gtest/gtest.h>
#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "render/pass/font.h"

namespace {

class Letters : public ::testing::Test {
 protected:
  Letters() {
    ImGui::CreateContext();
    ImGui::GetIO().IniFilename = nullptr;
  }
  ~Letters() override { ImGui::DestroyContext(); }
  void SetUp() override {
    letters_ = std::make_unique<ui::Letters>(15.0F);
    before_ = ui::Letters::revision();
  }
  bool another_atlas() const { return ui::Letters::revision() != before_; }

  std::u32string line(std::string_view text) {
    const auto characters = render::decode_utf8(letters_->line(text));
    return {characters.begin(), characters.end()};
  }
  static const ImFontGlyph* glyph(char32_t c, int font = 0) {
    ImFont* found = ImGui::GetIO().Fonts->Fonts[font];
#if IMGUI_VERSION_NUM < 19200
    return found->FindGlyphNoFallback(static_cast<ImWchar>(c));
#else
    return found->GetFontBaked(15.0F)->FindGlyphNoFallback(static_cast<ImWchar>(c));
#endif
  }
  // Share of what a letter's rectangle of the atlas holds, 0 to 1.
  static double ink(const ImFontGlyph& glyph) {
    unsigned char* pixels = nullptr;
    int width = 0;
    int height = 0;
    ImGui::GetIO().Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
    const auto at = [](float share, int size) {
      return static_cast<int>(std::lround(share * static_cast<float>(size)));
    };
    double sum = 0.0;
    int n = 0;
    for (int y = at(glyph.V0, height); y < at(glyph.V1, height); ++y) {
      for (int x = at(glyph.U0, width); x < at(glyph.U1, width); ++x, ++n)
        sum += pixels[4 * (y * width + x) + 3] / 255.0;
    }
    return n > 0 ? sum / n : 0.0;
  }

  std::unique_ptr<ui::Letters> letters_;
  uint64_t before_ = 0;
};

TEST_F(Letters, WhatDearImGuiSetsByItselfStaysAsItIs) {
  for (const char* text : {"", "To be, or not to be", "Ünïcode", "мир", "κόσμος", "↵ \xEF\xBF\xBD"})
    EXPECT_EQ(text, letters_->line(text));
  EXPECT_FALSE(letters_->update());
  EXPECT_FALSE(another_atlas());
}

TEST_F(Letters, ALetterOfAnotherScriptIsInBothFontsOnceItWasAskedFor) {
  EXPECT_EQ(nullptr, glyph(U'你'));
  EXPECT_EQ(U"a你", line("a你")) << "it stands for itself";
  ASSERT_TRUE(letters_->update());
  for (const int font : {0, 1}) {
    const ImFontGlyph* found = glyph(U'你', font);
    ASSERT_NE(nullptr, found);
    EXPECT_GT(ink(*found), 0.05);
    EXPECT_GT(found->AdvanceX, 6.0F);
    EXPECT_GE(found->Y0, -2.0F) << "within the line";
    EXPECT_LE(found->Y1, 17.0F);
    ASSERT_NE(nullptr, glyph(U'a', font)) << "what was there is still there";
  }
  EXPECT_EQ(U"你", line("你"));
  EXPECT_FALSE(letters_->update()) << "it is there";
  EXPECT_TRUE(another_atlas());
  line("好");
  ASSERT_TRUE(letters_->update());
  EXPECT_GT(ink(*glyph(U'你')), 0.05) << "older ones are drawn into every new atlas";
}

// Dear ImGui's characters may have 16 bits.
TEST_F(Letters, WhatHasNoCharacterOfItsOwnHasOneForPrivateUse) {
  const std::u32string seen = line("😀e\xCC\x81😀\xEE\x80\x80");
  ASSERT_EQ(4U, seen.size());
  for (const char32_t c : seen) {
    EXPECT_GE(c, 0xF000U) << "those below stand for what is edited";
    EXPECT_LE(c, 0xF8FFU);
  }
  EXPECT_EQ(seen[0], seen[2]) << "the same letter";
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_NE(seen[0], seen[3]) << "a character for private use in a text is another";
  ASSERT_TRUE(letters_->update());
  for (const char32_t c : seen) EXPECT_GT(ink(*glyph(c)), 0.02);
  EXPECT_NEAR(glyph(U'e')->AdvanceX, glyph(seen[1])->AdvanceX, 1.0F) << "a mark has no width";
  EXPECT_LT(glyph(seen[1])->Y0, glyph(U'e')->Y0) << "the accent stands above";
}

TEST_F(Letters, HebrewReadsFromTheRight) {
  EXPECT_EQ(U"םולש", line("שלום"));
  // Of two tokens: the second stands on the left; each part knows whose it is.
  const scene::Line seen = letters_->line(std::vector<scene::Line>{{{7, "של"}, {8, "ום"}}}, 0);
  ASSERT_EQ(2U, seen.size());
  EXPECT_EQ(8U, seen[0].from);
  EXPECT_EQ("םו", seen[0].text);
  EXPECT_EQ(7U, seen[1].from);
  EXPECT_EQ("לש", seen[1].text);
}

TEST_F(Letters, ALineThatGoesOnHasTheDirectionInWhichItsTextBegan) {
  std::vector<scene::Line> lines = {{{0, "1. abc"}}, {{1, "של"}, {2, " d"}}};
  EXPECT_EQ(2U, letters_->line(lines, 1).front().from) << "a text of its own";
  lines[1].begins = false;
  const scene::Line seen = letters_->line(lines, 1);
  EXPECT_EQ(1U, seen.front().from);
  EXPECT_EQ("לש", seen.front().text);
}

TEST_F(Letters, ArabicLettersJoinAcrossTokens) {
  const scene::Line seen =
      letters_->line(std::vector<scene::Line>{{{0, "\xD8\xA8"}, {1, "\xD9\x8A\xD8\xAA"}}}, 0);
  ASSERT_EQ(2U, seen.size());
  EXPECT_EQ(std::string("\xEF\xBA\x96\xEF\xBB\xB4"), seen[0].text) << "final teh, medial yeh";
  EXPECT_EQ(std::string("\xEF\xBA\x91"), seen[1].text) << "initial beh";
}

TEST_F(Letters, WhatNobodyHasAFontForIsABoxWithItsNumber) {
  const std::u32string seen = line("\xF4\x8F\xBF\xBD\xE2\x80\x8B");  // U+10FFFD, U+200B
  ASSERT_EQ(2U, seen.size());
  letters_->update();
  for (const char32_t c : seen) EXPECT_GT(ink(*glyph(c)), 0.02);
}

std::string characters(uint32_t first, uint32_t n) {  // beyond U+FFFF
  std::string all;
  for (uint32_t c = first; c < first + n; ++c) {
    all += static_cast<char>(0xF0U | c >> 18);
    all += static_cast<char>(0x80U | (c >> 12 & 0x3FU));
    all += static_cast<char>(0x80U | (c >> 6 & 0x3FU));
    all += static_cast<char>(0x80U | (c & 0x3FU));
  }
  return all;
}

TEST_F(Letters, NoTextIsTooMuch) {
  const std::u32string seen = line(characters(0x20000, 3000));
  EXPECT_EQ(3000U, seen.size());
  EXPECT_EQ(3000 - 1024, std::count(seen.begin(), seen.end(), U'\xFFFD'));
  ASSERT_TRUE(letters_->update());
  int width = 0;
  int height = 0;
  unsigned char* pixels = nullptr;
  ImGui::GetIO().Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
  EXPECT_LE(std::max(width, height), 4096) << "what every GPU has";
  EXPECT_EQ(U"\xFFFD\xFFFD", line("\xFF\xFE")) << "no UTF-8";
  std::string marks = "e";
  for (int i = 0; i < 50'000; ++i) marks += "\xCC\x81";
  EXPECT_EQ(1U, line(marks).size());
  letters_->update();
}

TEST_F(Letters, WhatIsNoLongerShownMakesRoom) {
  ImGui::GetIO().DisplaySize = ImVec2(640, 480);
  ImGui::GetIO().DeltaTime = 0.1F;
  const auto frame = [&](const std::string& text) {
    ImGui::NewFrame();
    ImGui::Begin("text");
    const std::string drawn = letters_->line(text);
    ImGui::TextUnformatted(drawn.c_str());
    ImGui::PushFont(ImGui::GetIO().Fonts->Fonts[1]);
    ImGui::TextUnformatted(drawn.c_str());
    ImGui::PopFont();
    ImGui::End();
    ImGui::Render();
    letters_->update();
    const auto seen = render::decode_utf8(drawn);
    return std::u32string(seen.begin(), seen.end());
  };
  frame(characters(0x20000, 1000));
  frame("你" + characters(0x20000, 1));
  const std::string more = "你" + characters(0x20000, 1) + characters(0x24000, 100);
  EXPECT_LT(0, std::ranges::count(frame(more), U'\xFFFD')) << "there is no more room";
  frame(more);
  const std::u32string seen = frame(more);
  EXPECT_EQ(0, std::ranges::count(seen, U'\xFFFD'));
  for (const char32_t c : seen) {
    ASSERT_NE(nullptr, glyph(c));
    EXPECT_GT(ink(*glyph(c)), 0.02);
  }
  EXPECT_NE(nullptr, glyph(U'a'));
}

TEST_F(Letters, WhereAllGoTheAtlasIsAnotherOne) {
  line(characters(0x20000, 1024));
  ASSERT_TRUE(letters_->update());
  EXPECT_EQ(U"\xFFFD", line("你")) << "there is no room, and nothing else is shown";
  before_ = ui::Letters::revision();
  EXPECT_TRUE(letters_->update()) << "who has the old one would draw from other places of it";
  EXPECT_TRUE(another_atlas());
  EXPECT_EQ(U"你", line("你"));
}

TEST_F(Letters, AFontThatHasNotEveryCharacterIsHelpedOut) {
  // DejaVu Sans Mono has no Bashkir qa; whatever the font, what is shown is a letter.
  const std::u32string seen = line("\u04A1\u203B");
  letters_->update();
  for (const char32_t c : seen) {
    for (const int font : {0, 1}) EXPECT_NE(nullptr, glyph(c, font)) << static_cast<uint32_t>(c);
  }
}

TEST_F(Letters, TheirWidthIsTheirLines) {
  ImGui::GetIO().DisplaySize = ImVec2(100, 100);
  ImGui::GetIO().DeltaTime = 0.1F;
  line("你好");
  ASSERT_TRUE(letters_->update());
  ImGui::NewFrame();
  for (const char* text : {"plain", "你好", "a你e\xCC\x81"}) {
    const float width = letters_->width(text);
    EXPECT_FLOAT_EQ(width, letters_->width(text));
    EXPECT_FLOAT_EQ(width, ImGui::CalcTextSize(letters_->line(text).c_str()).x);
  }
  ImGui::EndFrame();
}

TEST_F(Letters, TextThatIsEditedIsNotTurnedAround) {
  letters_->want("שלום你😀\xCC\x81");
  ASSERT_TRUE(letters_->update());
  for (const char32_t c : U"שלום你") {
    if (c != 0) {
      EXPECT_NE(nullptr, glyph(c)) << std::hex << static_cast<uint32_t>(c);
    }
  }
}

TEST_F(Letters, RunningTextKeepsItsLines) {
  EXPECT_EQ("one\ntwo\n\n", ui::readable_text("one\ntwo\n\n"));
  EXPECT_EQ("לש\nab 你", ui::readable_text("של\nab 你"));
}

// An emoji in the prompt: the field has a stand-in of 16 bits, which looks like it.
TEST_F(Letters, WhatIsEditedLooksLikeWhatItMeans) {
  const std::string shown =
      letters_->editable().shown("a\U0001D538\U0001D539");  // letters, double-struck
  ASSERT_EQ("a\uE000\uE001", shown);
  letters_->want(shown);
  ASSERT_TRUE(letters_->update());
  for (const char32_t c : {U'\uE000', U'\uE001'}) {
    ASSERT_NE(nullptr, glyph(c));
    EXPECT_GT(ink(*glyph(c)), 0.05);
  }
  EXPECT_EQ("a\U0001D538\U0001D539", letters_->editable().meant(shown));
}

TEST(MissingFonts, AreToldOnceWithWhatHasThem) {
  render::FontSet fonts;
  fonts.glyph(U'a', false);
  fonts.glyph(U'\uE000', false);
  EXPECT_EQ("", fonts.take_missing()) << "a private character has a font nowhere";
  // One of this kind at least is in no font of a bare machine; who has them all is told nothing.
  const auto missing = [&](char32_t c) { return &fonts.glyph(c, false) == &fonts.boxed(c); };
  const bool orangutan = missing(U'\U0001F9A7');
  const std::string told = fonts.take_missing();
  EXPECT_EQ(orangutan, told.find("U+1F9A7") != std::string::npos) << told;
  EXPECT_EQ(orangutan, told.find("fonts-symbola") != std::string::npos) << told;
  fonts.glyph(U'\U0001F9A8', false);
  EXPECT_EQ("", fonts.take_missing()) << "once";
}

}  // namespace
