#include "render/scene/numbers.h"

#include <cstdio>
#include <iterator>

namespace scene {

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string counted(uint64_t n, const char* noun) {
  return grouped(n) + ' ' + noun + (n == 1 ? "" : "s");
}

std::string rounded(uint64_t n) {
  constexpr const char* kUnits[] = {"", " K", " M", " B", " T"};
  auto value = static_cast<double>(n);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000.0;
    ++unit;
  }
  char text[32];
  const int digits = unit == 0 ? 0 : value < 9.995 ? 2 : 1;
  std::snprintf(text, sizeof text, "%.*f%s", digits, value, kUnits[unit]);
  return text;
}

}  // namespace scene
