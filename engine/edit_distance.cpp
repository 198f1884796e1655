#include "engine/edit_distance.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "model/utf8.h"

namespace engine {
namespace {

// Capitals or not. What is longer than any name would take long.
size_t between(std::string_view a, std::string_view b) {
  constexpr size_t kRead = 200;
  return edit_distance(model::lower_ascii(std::string(a.substr(0, kRead))),
                       model::lower_ascii(std::string(b.substr(0, kRead))));
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::vector<std::string> nearest(std::string_view word, std::vector<std::string> names, size_t n) {
  std::vector<std::pair<size_t, std::string>> rated;
  for (std::string& name : names) rated.emplace_back(between(word, name), std::move(name));
  std::stable_sort(rated.begin(), rated.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  names.clear();
  for (size_t i = 0; i < std::min(n, rated.size()); ++i)
    names.push_back(std::move(rated[i].second));
  return names;
}

std::string probably(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string> first = nearest(word, names, 1);
  if (first.empty()) return {};
  return between(word, first[0]) <= std::max<size_t>(1, first[0].size() / 3) ? first[0] : "";
}

}  // namespace engine
