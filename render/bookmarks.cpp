#include "render/bookmarks.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace render {

namespace {

constexpr std::streamsize kLargestFile = 4096;  // bytes: nine lines need fewer than 1000

}  // namespace

Bookmarks::Bookmarks(std::string path) : path_(std::move(path)) {
  std::error_code error;
  if (path_.empty() || !std::filesystem::is_regular_file(path_, error)) return;
  std::ifstream in(path_, std::ios::binary);
  std::string text(kLargestFile, '\0');
  in.read(text.data(), kLargestFile);
  text.resize(static_cast<size_t>(in.gcount()));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 3 || line[0] < '1' || line[0] > '9' || line[1] != ' ') continue;
    const auto pose = scene::parse_pose(std::string_view(line).substr(2));
    if (pose) poses_[static_cast<size_t>(line[0] - '1')] = pose;
  }
}

bool Bookmarks::set(size_t number, const scene::Pose& pose) {
  poses_.at(number - 1) = pose;
  if (path_.empty()) return false;
  // Beside it and then into its place: a reader sees the old file or the new one.
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  const std::string draft = path_ + "." + std::to_string(getpid());
  {
    std::ofstream out(draft, std::ios::trunc);
    for (size_t i = 0; i < kCount; ++i) {
      if (poses_[i]) out << i + 1 << ' ' << scene::pose_text(*poses_[i]) << '\n';
    }
    if (!out.flush()) {
      std::filesystem::remove(draft, error);
      return false;
    }
  }
  std::filesystem::rename(draft, path_, error);
  if (!error) return true;
  std::filesystem::remove(draft, error);
  return false;
}

std::string bookmarks_path(uint64_t weights_hash) {
  std::filesystem::path folder;
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (state != nullptr && state[0] == '/') {  // a relative one is to be ignored (XDG 0.8)
    folder = state;
  } else if (home != nullptr && home[0] == '/') {
    folder = std::filesystem::path(home) / ".local" / "state";
  } else {
    return {};
  }
  char name[24];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(weights_hash));
  return folder / "fulgurite" / "bookmarks" / name;
}

}  // namespace render
