#include "render/video/film.h"

namespace render {

void Film::add(double seconds, std::span<const uint8_t> rgba) {
  stand(seconds);
  last_.assign(rgba.begin(), rgba.end());
}

void Film::stand(double seconds) {
  if (last_.empty()) return;
  while (encoder_.frames() < number(seconds)) encoder_.add(last_);
}

void Film::finish(double seconds) {
  stand(seconds);
  if (encoder_.frames() == 0 && !last_.empty()) encoder_.add(last_);
  encoder_.finish();
}

}  // namespace render
