#include "render/scene/shaping.h"

#include <fribidi.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <new>
#include <numeric>
#include <string_view>
#include <utility>

namespace scene {

namespace {

using Range = std::pair<char32_t, char32_t>;  // both ends belong to it

template <size_t N>
bool within(const std::array<Range, N>& sorted, char32_t c) {
  const auto it =
      std::upper_bound(sorted.begin(), sorted.end(), c,
                       [](char32_t value, const Range& range) { return value < range.first; });
  return it != sorted.begin() && c <= std::prev(it)->second;
}

// Unicode 15, general categories Mn and Me of the scripts whose fonts place them by themselves or
// by centring; spacing marks (Mc) keep their width.
constexpr std::array kMarks = {
    Range{0x300, 0x36F},   Range{0x483, 0x489},   Range{0x591, 0x5BD},   Range{0x5BF, 0x5BF},
    Range{0x5C1, 0x5C2},   Range{0x5C4, 0x5C5},   Range{0x5C7, 0x5C7},   Range{0x610, 0x61A},
    Range{0x64B, 0x65F},   Range{0x670, 0x670},   Range{0x6D6, 0x6DC},   Range{0x6DF, 0x6E4},
    Range{0x6E7, 0x6E8},   Range{0x6EA, 0x6ED},   Range{0x711, 0x711},   Range{0x730, 0x74A},
    Range{0x7A6, 0x7B0},   Range{0x7EB, 0x7F3},   Range{0x8D3, 0x8E1},   Range{0x8E3, 0x902},
    Range{0x93A, 0x93A},   Range{0x93C, 0x93C},   Range{0x941, 0x948},   Range{0x94D, 0x94D},
    Range{0x951, 0x957},   Range{0x962, 0x963},   Range{0x981, 0x981},   Range{0x9BC, 0x9BC},
    Range{0x9C1, 0x9C4},   Range{0x9CD, 0x9CD},   Range{0xA3C, 0xA3C},   Range{0xA41, 0xA51},
    Range{0xA70, 0xA71},   Range{0xABC, 0xABC},   Range{0xAC1, 0xAC8},   Range{0xACD, 0xACD},
    Range{0xB3C, 0xB3C},   Range{0xB41, 0xB44},   Range{0xB4D, 0xB56},   Range{0xBC0, 0xBC0},
    Range{0xBCD, 0xBCD},   Range{0xC3E, 0xC40},   Range{0xC46, 0xC56},   Range{0xCBC, 0xCBC},
    Range{0xCC6, 0xCC6},   Range{0xCCC, 0xCCD},   Range{0xD41, 0xD44},   Range{0xD4D, 0xD4D},
    Range{0xDCA, 0xDCA},   Range{0xDD2, 0xDD4},   Range{0xDD6, 0xDD6},   Range{0xE31, 0xE31},
    Range{0xE34, 0xE3A},   Range{0xE47, 0xE4E},   Range{0xEB1, 0xEB1},   Range{0xEB4, 0xEBC},
    Range{0xEC8, 0xECE},   Range{0xF71, 0xF7E},   Range{0xF80, 0xF84},   Range{0x102D, 0x1030},
    Range{0x1032, 0x1037}, Range{0x1039, 0x103A}, Range{0x17B7, 0x17BD}, Range{0x17C6, 0x17C6},
    Range{0x17C9, 0x17D3}, Range{0x1AB0, 0x1ACE}, Range{0x1DC0, 0x1DFF}, Range{0x20D0, 0x20F0},
    Range{0x302A, 0x302D}, Range{0x3099, 0x309A}, Range{0xA66F, 0xA672}, Range{0xFB1E, 0xFB1E},
    Range{0xFE20, 0xFE2F},
};

constexpr std::array kInvisible = {
    Range{0x0, 0x1F},      Range{0x7F, 0x9F},     Range{0xAD, 0xAD},       Range{0x34F, 0x34F},
    Range{0x61C, 0x61C},   Range{0x115F, 0x1160}, Range{0x17B4, 0x17B5},   Range{0x180B, 0x180F},
    Range{0x200B, 0x200F}, Range{0x2028, 0x202E}, Range{0x2060, 0x206F},   Range{0x3164, 0x3164},
    Range{0xD800, 0xDFFF}, Range{0xFE00, 0xFE0F}, Range{0xFEFF, 0xFEFF},   Range{0xFFA0, 0xFFA0},
    Range{0xFFF0, 0xFFFB}, Range{0xFFFE, 0xFFFF}, Range{0x1D173, 0x1D17A}, Range{0xE0000, 0xE0FFF},
};

// They change the one before them; drawn they are nothing, unless there is none.
bool joins(char32_t c) {
  return c == 0x34F || c == 0x200C || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F) ||
         (c >= 0x180B && c <= 0x180F) || (c >= 0xE0020 && c <= 0xE007F) ||
         (c >= 0xE0100 && c <= 0xE01EF);
}

bool is_space(char32_t c) {
  return c == 0x20 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

// Arabic letters take one of four shapes. The presentation forms (U+FB50.., U+FE70..) list them as
// isolated, final, initial, medial; letters with two have the first two, for they join backwards
// only.
struct Forms {
  char32_t first = 0;
  unsigned count = 0;
};

Forms forms_of(char32_t c) {
  // The numbers of forms of U+0621.. and U+0641.., whose forms follow each other from U+FE80 on.
  constexpr std::string_view kCounts = "12222424244444222244444444";
  constexpr std::string_view kMore = "4444444224";
  unsigned first = 0xFE80;
  for (size_t i = 0; i < kCounts.size(); ++i) {
    const auto count = static_cast<unsigned>(kCounts[i] - '0');
    if (c == 0x621 + i) return {first, count};
    first += count;
  }
  for (size_t i = 0; i < kMore.size(); ++i) {
    const auto count = static_cast<unsigned>(kMore[i] - '0');
    if (c == 0x641 + i) return {first, count};
    first += count;
  }
  switch (c) {  // Persian and Urdu
    case 0x679:
      return {0xFB66, 4};
    case 0x67E:
      return {0xFB56, 4};
    case 0x686:
      return {0xFB7A, 4};
    case 0x688:
      return {0xFB88, 2};
    case 0x691:
      return {0xFB8C, 2};
    case 0x698:
      return {0xFB8A, 2};
    case 0x6A9:
      return {0xFB8E, 4};
    case 0x6AF:
      return {0xFB92, 4};
    case 0x6BA:
      return {0xFB9E, 2};
    case 0x6BE:
      return {0xFBAA, 4};
    case 0x6C1:
      return {0xFBA6, 4};
    case 0x6CC:
      return {0xFBFC, 4};
    case 0x6D2:
      return {0xFBAE, 2};
    default:
      return {};
  }
}

constexpr char32_t kTatweel = 0x640;  // a stroke that joins on both sides

bool joins_onwards(char32_t c) {
  return c == kTatweel || forms_of(c).count == 4;
}
bool joins_backwards(char32_t c) {
  return c == kTatweel || forms_of(c).count >= 2;
}

// A character with the marks that sit on it.
struct Cluster {
  Drawn base;
  std::vector<Drawn> marks;
  bool non_joiner = false;  // U+200C follows: letters do not join across it
  bool joiner = false;      // U+200D does
};

std::vector<Cluster> clusters_of(std::span<const char32_t> text) {
  const bool blank = std::all_of(text.begin(), text.end(), is_space);
  std::vector<Cluster> out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (joins(c) && !out.empty() && !out.back().base.boxed) {
      out.back().non_joiner = c == 0x200C;
      out.back().joiner = c == 0x200D;
    } else if ((c == 0xE33 || c == 0xEB3) && !out.empty() && !out.back().base.boxed) {
      // Thai and Lao am: a ring below the tone, then aa.
      auto& marks = out.back().marks;
      marks.insert(marks.begin(), {c == 0xE33 ? char32_t{0xE4D} : char32_t{0xECD}, true, false, i});
      out.push_back({{c - 1, false, false, i}, {}, false});
    } else if (is_mark(c)) {
      if (out.empty() || out.back().base.boxed)
        out.push_back({{0x25CC, false, false, i}, {}, false});
      out.back().marks.push_back({c, true, false, i});
    } else {
      out.push_back({{c, false, is_invisible(c) || (blank && c != 0x20), i}, {}, false});
    }
  }
  return out;
}

// Vowel signs that are written behind their consonant and seen before it, wholly or in part, as
// their canonical decompositions have it (Unicode 15, Indic_Positional_Category). Khmer's that
// stand on both sides have none.
struct LeftVowel {
  char32_t sign;
  char32_t before;
  char32_t after;  // 0: nothing
};
constexpr LeftVowel kLeftVowels[] = {
    {0x93F, 0x93F, 0},     {0x94E, 0x94E, 0},     {0x9BF, 0x9BF, 0},     {0x9C7, 0x9C7, 0},
    {0x9C8, 0x9C8, 0},     {0x9CB, 0x9C7, 0x9BE}, {0x9CC, 0x9C7, 0x9D7}, {0xA3F, 0xA3F, 0},
    {0xABF, 0xABF, 0},     {0xB47, 0xB47, 0},     {0xB4B, 0xB47, 0xB3E}, {0xB4C, 0xB47, 0xB57},
    {0xBC6, 0xBC6, 0},     {0xBC7, 0xBC7, 0},     {0xBC8, 0xBC8, 0},     {0xBCA, 0xBC6, 0xBBE},
    {0xBCB, 0xBC7, 0xBBE}, {0xBCC, 0xBC6, 0xBD7}, {0xD46, 0xD46, 0},     {0xD47, 0xD47, 0},
    {0xD48, 0xD48, 0},     {0xD4A, 0xD46, 0xD3E}, {0xD4B, 0xD47, 0xD3E}, {0xD4C, 0xD46, 0xD57},
    {0xDD9, 0xDD9, 0},     {0xDDB, 0xDDB, 0},     {0xDDC, 0xDD9, 0xDCF}, {0xDDE, 0xDD9, 0xDDF},
    {0x1031, 0x1031, 0},   {0x17C1, 0x17C1, 0},   {0x17C2, 0x17C2, 0},   {0x17C3, 0x17C3, 0},
};

// A consonant that is said without a vowel stands with the next one. Not so in Tamil, and in
// Sinhala only where a joiner says so.
bool is_virama(char32_t c) {
  constexpr std::u32string_view kViramas = U"\u094D\u09CD\u0A4D\u0ACD\u0B4D\u0D4D\u1039\u17D2";
  return kViramas.find(c) != std::u32string_view::npos;
}

void place_vowels(std::vector<Cluster>& clusters) {
  for (size_t i = 1; i < clusters.size(); ++i) {
    const auto* found =
        std::ranges::find(kLeftVowels, clusters[i].base.character, &LeftVowel::sign);
    if (found == std::end(kLeftVowels) || clusters[i].base.boxed) continue;
    size_t first = i - 1;
    if (clusters[first].base.boxed || is_space(clusters[first].base.character)) continue;
    const auto stands_with_the_next = [](const Cluster& cluster) {
      constexpr char32_t kSinhala = 0xDCA;
      if (cluster.non_joiner || cluster.marks.empty()) return false;
      const char32_t last = cluster.marks.back().character;
      return is_virama(last) || (last == kSinhala && cluster.joiner);
    };
    while (first > 0 && stands_with_the_next(clusters[first - 1])) --first;
    Cluster vowel = std::move(clusters[i]);
    vowel.base.character = found->before;
    auto& above = clusters[i - 1].marks;  // which stay above the consonant
    above.insert(above.end(), vowel.marks.begin(), vowel.marks.end());
    vowel.marks.clear();
    Cluster rest = vowel;
    rest.base.character = found->after;
    const auto at = [&](size_t k) { return clusters.begin() + static_cast<std::ptrdiff_t>(k); };
    clusters[i] = std::move(vowel);
    std::rotate(at(first), at(i), at(i + 1));
    if (found->after != 0) clusters.insert(at(++i), std::move(rest));
  }
}

// Shapes by neighbours, and lam with alef as the one letter that they become.
void join_letters(std::vector<Cluster>& clusters) {
  std::vector<Cluster> out;
  bool before = false;  // the last letter reaches out to this one
  for (size_t i = 0; i < clusters.size(); ++i) {
    Cluster cluster = clusters[i];
    const char32_t c = cluster.base.character;
    const Forms forms = forms_of(c);
    const char32_t next =
        i + 1 < clusters.size() && !cluster.non_joiner ? clusters[i + 1].base.character : 0;
    if (c == 0x644 && (next == 0x622 || next == 0x623 || next == 0x625 || next == 0x627)) {
      const char32_t which = next == 0x622 ? 0 : next == 0x623 ? 1 : next == 0x625 ? 2 : 3;
      cluster.base.character = 0xFEF5 + 2 * which + (before ? 1 : 0);
      for (const Drawn& mark : clusters[i + 1].marks) cluster.marks.push_back(mark);
      ++i;
      before = false;
    } else if (forms.count > 0) {
      const bool after = forms.count == 4 && next != 0 && joins_backwards(next);
      const bool joined = before && forms.count >= 2;
      cluster.base.character = forms.first + (joined ? 1 : 0) + (after ? 2 : 0);
      before = joins_onwards(c) && !cluster.non_joiner;
    } else {
      before = joins_onwards(c) && !cluster.non_joiner;
    }
    out.push_back(std::move(cluster));
  }
  clusters = std::move(out);
}

char32_t mirrored(char32_t c) {
  FriBidiChar other = c;
  fribidi_get_mirror_char(c, &other);
  return other;
}

// Unicode Annex 9: of what reads from right to left odd. A box has no direction of its own.
std::vector<FriBidiLevel> levels_of(const std::vector<Cluster>& clusters, const Around& around) {
  std::vector<FriBidiChar> text;
  const auto add = [&](char32_t c, bool boxed) { text.push_back(boxed ? char32_t{0xFFFC} : c); };
  for (const char32_t c : around.before) add(c, is_invisible(c) && !joins(c));
  for (const Cluster& cluster : clusters) add(cluster.base.character, cluster.base.boxed);
  for (const char32_t c : around.after) add(c, is_invisible(c) && !joins(c));
  const auto n = static_cast<FriBidiStrIndex>(text.size());
  std::vector<FriBidiCharType> types(text.size());
  std::vector<FriBidiBracketType> brackets(text.size());
  std::vector<FriBidiLevel> levels(text.size());
  fribidi_get_bidi_types(text.data(), n, types.data());
  fribidi_get_bracket_types(text.data(), n, types.data(), brackets.data());
  FriBidiParType paragraph = FRIBIDI_PAR_ON;  // as its first letter runs
  if (fribidi_get_par_embedding_levels_ex(types.data(), brackets.data(), n, &paragraph,
                                          levels.data()) == 0)
    throw std::bad_alloc();
  const auto first = levels.begin() + static_cast<std::ptrdiff_t>(around.before.size());
  return {first, first + static_cast<std::ptrdiff_t>(clusters.size())};
}

}  // namespace

bool is_mark(char32_t c) {
  return c >= 0x300 && within(kMarks, c);
}

bool is_invisible(char32_t c) {
  return within(kInvisible, c);
}

bool turns(std::span<const char32_t> text) {
  return std::any_of(text.begin(), text.end(), [](char32_t c) {
    return c >= 0x590 && FRIBIDI_IS_RTL(fribidi_get_bidi_type(c));
  });
}

bool ends_turned(std::span<const char32_t> text) {
  const auto last = std::find_if(text.rbegin(), text.rend(), [](char32_t c) {
    const FriBidiCharType type = fribidi_get_bidi_type(c);
    return FRIBIDI_IS_STRONG(type) && FRIBIDI_IS_LETTER(type) && !is_invisible(c);
  });
  return last != text.rend() && FRIBIDI_IS_RTL(fribidi_get_bidi_type(*last));
}

std::vector<Drawn> shape_line(std::span<const char32_t> text, const Around& around) {
  std::vector<Cluster> clusters = clusters_of(text);
  place_vowels(clusters);
  if (!clusters.empty() && (turns(text) || turns(around.before) || turns(around.after))) {
    join_letters(clusters);
    const std::vector<FriBidiLevel> levels = levels_of(clusters, around);
    std::vector<size_t> order(clusters.size());
    std::iota(order.begin(), order.end(), size_t{0});
    // Rule L2: every run at this level or above is turned around.
    for (int level = *std::max_element(levels.begin(), levels.end()); level > 0; --level) {
      for (size_t i = 0; i < order.size();) {
        size_t end = i;
        while (end < order.size() && levels[end] >= level) ++end;
        std::reverse(order.begin() + static_cast<ptrdiff_t>(i),
                     order.begin() + static_cast<ptrdiff_t>(end));
        i = std::max(end, i + 1);
      }
    }
    std::vector<Cluster> seen;
    for (const size_t i : order) {
      seen.push_back(clusters[i]);
      if (levels[i] % 2 == 1 && !seen.back().base.boxed)
        seen.back().base.character = mirrored(seen.back().base.character);
    }
    clusters = std::move(seen);
  }
  std::vector<Drawn> out;
  for (const Cluster& cluster : clusters) {
    out.push_back(cluster.base);
    out.insert(out.end(), cluster.marks.begin(), cluster.marks.end());
  }
  return out;
}

}  // namespace scene
