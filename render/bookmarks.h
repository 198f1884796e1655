// Nine views of a model that a person wants to come back to, kept in a small text file in the XDG
// state folder: one a line, "3 yaw,pitch,distance,x,y,z".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "render/scene/camera.h"

namespace render {

class Bookmarks {
 public:
  static constexpr size_t kCount = 9;

  // path: empty when there is no place for it; bookmarks then last as long as the program. A file
  // of any content is taken: lines that are no bookmark are left out. Nothing is thrown.
  explicit Bookmarks(std::string path);

  // number: 1..9.
  const std::optional<scene::Pose>& get(size_t number) const { return poses_.at(number - 1); }
  // False: it could not be written, and lasts as long as the program.
  bool set(size_t number, const scene::Pose& pose);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::array<std::optional<scene::Pose>, kCount> poses_;
};

// $XDG_STATE_HOME/fulgurite/bookmarks/HASH, or below ~/.local/state. Empty without either.
std::string bookmarks_path(uint64_t weights_hash);

}  // namespace render
