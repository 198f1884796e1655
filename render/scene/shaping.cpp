#include "render/scene/shaping.h"

#include <algorithm>
#include <array>
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
    Range{0xE31, 0xE31},   Range{0xE34, 0xE3A},   Range{0xE47, 0xE4E},   Range{0xEB1, 0xEB1},
    Range{0xEB4, 0xEBC},   Range{0xEC8, 0xECE},   Range{0xF71, 0xF7E},   Range{0xF80, 0xF84},
    Range{0x102D, 0x1030}, Range{0x1032, 0x1037}, Range{0x1039, 0x103A}, Range{0x17B7, 0x17BD},
    Range{0x17C6, 0x17C6}, Range{0x17C9, 0x17D3}, Range{0x1AB0, 0x1ACE}, Range{0x1DC0, 0x1DFF},
    Range{0x20D0, 0x20F0}, Range{0x302A, 0x302D}, Range{0x3099, 0x309A}, Range{0xA66F, 0xA672},
    Range{0xFB1E, 0xFB1E}, Range{0xFE20, 0xFE2F},
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

bool is_digit(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 0x660 && c <= 0x669) || (c >= 0x6F0 && c <= 0x6F9);
}

bool is_right_to_left(char32_t c) {
  return (c >= 0x590 && c <= 0x8FF && !is_digit(c)) || c == 0x200F ||
         (c >= 0xFB1D && c <= 0xFDFF) || (c >= 0xFE70 && c <= 0xFEFE) ||
         (c >= 0x10800 && c <= 0x10FFF) || (c >= 0x1E800 && c <= 0x1EFFF);
}

bool is_neutral(char32_t c) {
  if (is_digit(c)) return false;
  return c < 0x41 || (c > 0x5A && c < 0x61) || (c > 0x7A && c < 0xAA) ||
         (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x3020);
}

bool is_strong(char32_t c) {
  return !is_digit(c) && !is_neutral(c) && !is_mark(c) && !is_invisible(c);
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
};

std::vector<Cluster> clusters_of(std::span<const char32_t> text) {
  const bool blank = std::all_of(text.begin(), text.end(), is_space);
  std::vector<Cluster> out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (joins(c) && !out.empty() && !out.back().base.boxed) {
      out.back().non_joiner = c == 0x200C;
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
  constexpr std::u32string_view kPairs = U"()[]{}<>\u00AB\u00BB\u2039\u203A";
  const size_t at = kPairs.find(c);
  return at == std::u32string_view::npos ? c : kPairs[at ^ 1U];
}

// 0: left to right, 1: right to left, 2: left to right within it.
std::vector<int> levels_of(const std::vector<Cluster>& clusters, Direction direction) {
  const auto character = [&](size_t i) { return clusters[i].base.character; };
  const auto strong = [&](size_t i) { return is_strong(character(i)) && !clusters[i].base.boxed; };
  int base = direction == Direction::kRightToLeft ? 1 : 0;
  for (size_t i = 0; direction == Direction::kOfFirstLetter && i < clusters.size(); ++i) {
    if (!strong(i)) continue;
    base = is_right_to_left(character(i)) ? 1 : 0;
    break;
  }
  std::vector<int> levels(clusters.size(), base);
  // A number belongs to the run that it follows; what lies between two of a kind is of that kind.
  int run = base;
  size_t open = clusters.size();  // first of the neutral ones since
  const auto close = [&](size_t end, int side, int before) {
    for (size_t j = std::min(open, end); j < end; ++j) levels[j] = before == side ? side : base;
    open = clusters.size();
  };
  for (size_t i = 0; i < clusters.size(); ++i) {
    if (is_digit(character(i))) {
      const int side = run;
      close(i, side, run);
      levels[i] = side == 1 ? 2 : 0;
    } else if (strong(i)) {
      const int side = is_right_to_left(character(i)) ? 1 : 0;
      close(i, side, run);
      levels[i] = side == 1 ? 1 : (base == 1 ? 2 : 0);
      run = side;
    } else if (open == clusters.size()) {
      open = i;
    }
  }
  // A neutral within left-to-right text of a right-to-left line stays with it.
  if (base == 1) {
    for (size_t i = 1; i + 1 < levels.size(); ++i) {
      if (levels[i] == 0) levels[i] = 2;
    }
  }
  return levels;
}

}  // namespace

bool is_mark(char32_t c) {
  return c >= 0x300 && within(kMarks, c);
}

bool is_invisible(char32_t c) {
  return within(kInvisible, c);
}

Direction direction_of(std::span<const char32_t> text) {
  const auto first = std::find_if(text.begin(), text.end(), is_strong);
  if (first == text.end()) return Direction::kOfFirstLetter;
  return is_right_to_left(*first) ? Direction::kRightToLeft : Direction::kLeftToRight;
}

std::vector<Drawn> shape_line(std::span<const char32_t> text, Direction direction) {
  std::vector<Cluster> clusters = clusters_of(text);
  const bool any = std::any_of(text.begin(), text.end(), is_right_to_left);
  if (any) {
    join_letters(clusters);
    const std::vector<int> levels = levels_of(clusters, direction);
    std::vector<size_t> order(clusters.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (const int level : {2, 1}) {  // rule L2: reverse every run at this level or above
      for (size_t i = 0; i < order.size();) {
        size_t end = i;
        while (end < order.size() && levels[end] >= level) ++end;
        if (end > i) {
          std::reverse(order.begin() + static_cast<ptrdiff_t>(i),
                       order.begin() + static_cast<ptrdiff_t>(end));
        }
        i = std::max(end, i + 1);
      }
    }
    std::vector<Cluster> seen;
    for (const size_t i : order) {
      seen.push_back(clusters[i]);
      if (levels[i] == 1) seen.back().base.character = mirrored(seen.back().base.character);
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
