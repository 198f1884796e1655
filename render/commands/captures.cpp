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
  for (int i = 1; path.empty(); ++i) {
    const std::string name = "fulgurite-" + std::to_string(i);
    // Where frames go when there is no ffmpeg.
    if (!std::filesystem::exists(name + ending) && !std::filesystem::exists(name + "_frames"))
      path = name + ending;
  }
  return path;
}

View without_pick(const View& view) {
  View still = view;
  still.pick.reset();
  return still;
}

}  // namespace

std::string save_picture(gpu::Device& device, Stage& stage, const View& view, VkExtent2D extent) {
  const std::string path = new_file(".png");
  Offscreen target(device, extent.width, extent.height);
  View still = without_pick(view);
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

// The film's clock stands while the encoder keeps the window waiting: else every wait would be
// made up for with frames, and a longer one.
template <class Work>
void Filming::write(const Work& work) {
  constexpr std::chrono::milliseconds kUnnoticed{20};
  const auto before = std::chrono::steady_clock::now();
  work();
  const auto took = std::chrono::steady_clock::now() - before;
  if (took > kUnnoticed) began_ += took;
}

void Filming::begin(const Target& window) {
  const std::string path = new_file(".mp4");
  const VkExtent2D extent = window.extent();
  // In the window's own order of channels, so that it is drawn by the same pipelines.
  const bool bgra = window.format() == VK_FORMAT_B8G8R8A8_UNORM;
  guarded([&] {
    film_ = std::make_unique<Film>(EncoderOptions{path, extent.width, extent.height, kFps});
    times_.clear();
    newest_ = -1.0;
    target_ = std::make_unique<Offscreen>(
        device_, extent.width, extent.height,
        [this, bgra](uint64_t, std::span<const uint8_t> pixels) {
          rgba_.assign(pixels.begin(), pixels.end());
          for (size_t i = 0; bgra && i + 2 < rgba_.size(); i += 4)
            std::swap(rgba_[i], rgba_[i + 2]);
          const double at = times_.front();
          times_.pop_front();
          write([&] { film_->add(at, rgba_); });
        },
        bgra ? VK_FORMAT_B8G8R8A8_UNORM : VK_FORMAT_R8G8B8A8_UNORM);
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
    stage.draw(*target_, without_pick(view));
    return true;
  });
}

void Filming::follow(bool& wanted, Stage& stage, const View& view, ImDrawData* panels,
                     const Target& window, std::string& message) {
  if (wanted && !running()) begin(window);
  if (!running()) return;
  View seen = view;
  seen.ui = panels;
  if (wanted && frame(stage, seen, window.extent())) return;
  message = "saved " + end();
  if (std::exchange(wanted, false)) message += ": the window has another size now";
}

void Filming::stand() {
  if (!running()) return;
  guarded([&] {
    target_->flush();
    write([&] { film_->stand(now()); });
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
