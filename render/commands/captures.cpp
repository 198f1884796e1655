#include "render/commands/captures.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "render/video/png.h"

namespace render::commands {

namespace {

constexpr double kFps = 30.0;

// A name that nothing has.
std::string new_file(const std::string& ending) {
  std::string path;
  for (int i = 1; path.empty() || std::filesystem::exists(path); ++i)
    path = "fulgurite-" + std::to_string(i) + ending;
  return path;
}

View seen_by_nobody(const View& view) {
  View still = view;
  still.pick.reset();
  return still;
}

}  // namespace

std::string save_picture(gpu::Device& device, Stage& stage, const View& view, VkExtent2D extent) {
  const std::string path = new_file(".png");
  Offscreen target(device, extent.width, extent.height);
  View still = seen_by_nobody(view);
  still.refine = true;
  still.ui = nullptr;
  still.hovered = 0;
  still.hovered_bolt.reset();
  still.hovered_cell.reset();
  stage.draw(target, still);
  write_png(path, extent.width, extent.height, target.read_back());
  return std::filesystem::absolute(path).string();
}

double Filming::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

// A film that cannot be written on is over; what is there of it stays.
template <class Work>
auto Filming::guarded(const Work& work) {
  try {
    return work();
  } catch (...) {
    target_.reset();
    film_.reset();
    throw;
  }
}

void Filming::begin(VkExtent2D extent) {
  const std::string path = new_file(".mp4");
  return guarded([&] {
    film_ = std::make_unique<Film>(EncoderOptions{path, extent.width, extent.height, kFps});
    times_.clear();
    newest_ = -1.0;
    target_ = std::make_unique<Offscreen>(device_, extent.width, extent.height,
                                          [this](uint64_t, std::span<const uint8_t> rgba) {
                                            film_->add(times_.front(), rgba);
                                            times_.pop_front();
                                          });
    began_ = std::chrono::steady_clock::now();
  });
}

// False: the window has another size now.
bool Filming::frame(Stage& stage, const View& view, VkExtent2D extent) {
  const VkExtent2D own = target_->extent();
  if (own.width != extent.width || own.height != extent.height) return false;
  return guarded([&] {
    const double at = now();
    if (newest_ >= 0.0 && film_->number(at) == film_->number(newest_)) return true;
    times_.push_back(newest_ = at);
    stage.draw(*target_, seen_by_nobody(view));
    return true;
  });
}

void Filming::follow(bool& wanted, Stage& stage, const View& view, ImDrawData* panels,
                     VkExtent2D extent, std::string& message) {
  if (wanted && !running()) begin(extent);
  if (!running()) return;
  View seen = view;
  seen.ui = panels;
  if (wanted && frame(stage, seen, extent)) return;
  message = "saved " + end();
  if (std::exchange(wanted, false)) message += ": the window has another size now";
}

void Filming::stand() {
  guarded([&] {
    target_->flush();
    film_->stand(now());
  });
}

std::string Filming::end() {
  return guarded([&] {
    target_->flush();
    const double seconds = now();
    film_->finish(seconds);
    const std::string what =
        fmt::format("{}, {:.1f} s", std::filesystem::absolute(film_->output()).string(), seconds);
    target_.reset();
    film_.reset();
    return what;
  });
}

}  // namespace render::commands
