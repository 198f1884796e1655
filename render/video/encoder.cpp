#include "render/video/encoder.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "model/error.h"
#include "render/video/png.h"
#include "render/video/process.h"

namespace render {
namespace {

using fulgurite::Error;
using fulgurite::ExitCode;
namespace fs = std::filesystem;

constexpr size_t kQueue = 4;  // frames

bool has_encoder(const std::string& ffmpeg, const std::string& name) {
  // `-h encoder=NAME` succeeds for unknown names as well; encoding one black frame does not.
  Process probe({ffmpeg, "-v", "error", "-f", "lavfi", "-i",
                 "color=size=64x64:duration=0.04:rate=25", "-c:v", name, "-f", "null", "-"});
  return probe.finish() == 0;
}

constexpr const char* kQuality = "18";  // libx264's constant rate factor

// As yuv420p has it.
uint32_t even(uint32_t size) {
  return (size + 1) / 2 * 2;
}

bool is_mp4(const fs::path& path) {
  const std::string suffix = path.extension().string();
  return suffix == ".mp4" || suffix == ".m4v" || suffix == ".mov";
}

std::vector<std::string> command_line(const std::string& ffmpeg, const EncoderOptions& options) {
  std::vector<std::string> line = {
      ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "rawvideo",
      "-pixel_format", "rgba", "-video_size", fmt::format("{}x{}", options.width, options.height),
      "-framerate", fmt::format("{}", options.fps), "-i", "pipe:0", "-an",
      // sRGB's full range -> video's; BT.709 is what players assume for such sizes.
      "-vf",
      "pad=ceil(iw/2)*2:ceil(ih/"
      "2)*2,scale=in_range=full:out_range=tv:out_color_matrix=bt709,format=yuv420p",
      "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range",
      "tv"};
  const auto add = [&](std::initializer_list<std::string> words) {
    line.insert(line.end(), words);
  };
  if (is_mp4(options.output) || options.output.extension() == ".mkv") {
    if (has_encoder(ffmpeg, "libx264")) {
      add({"-c:v", "libx264", "-preset", "veryfast", "-crf", kQuality});
    } else {
      add({"-c:v", "mpeg4", "-q:v", "3"});
    }
    add({"-g",
         fmt::format("{}", std::max(1, static_cast<int>(options.fps)))});  // a fragment a second
  }
  if (is_mp4(options.output)) add({"-movflags", "+frag_keyframe+empty_moov+default_base_moof"});
  // "file:" so that no name is taken for a protocol or a flag.
  add({"-flush_packets", "1", "file:" + options.output.string()});
  return line;
}

}  // namespace

void check_video(const EncoderOptions& options) {
  const fs::path& output = options.output;
  const std::string ffmpeg = find_program("ffmpeg");
  if (ffmpeg.empty() || is_mp4(output)) return;
  if (!output.has_extension()) {
    throw Error(ExitCode::kUsage, "has no ending that says which kind of video it is",
                output.string(), "name it FILE.mp4");
  }
  std::error_code ignored;
  std::string folder = (fs::temp_directory_path(ignored) / "fulgurite-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return;  // it will be seen
  // Five frames: what holds pictures takes but one.
  const std::string source = fmt::format("color=size={}x{}:rate={}", even(options.width),
                                         even(options.height), options.fps);
  const std::string tried = (folder / fs::path("a" + output.extension().string())).string();
  Process frames({ffmpeg, "-v", "error", "-nostdin", "-f", "lavfi", "-i", source, "-frames:v", "5",
                  "-y", tried});
  const bool works = frames.finish() == 0;
  fs::remove_all(folder, ignored);
  if (works) return;
  std::string why = frames.last_line();
  if (why.starts_with(tried + ": ")) why.erase(0, tried.size() + 2);
  throw Error(ExitCode::kUsage, "ffmpeg cannot write a video of this name: " + why, output.string(),
              "name it FILE.mp4");
}

struct Encoder::Impl {
  explicit Impl(const EncoderOptions& given) : options(given), output(given.output) {
    CHECK(options.width > 0 && options.height > 0 && options.fps > 0);
    check_writable(output);
    ffmpeg = find_program("ffmpeg");
    if (ffmpeg.empty()) {
      output =
          options.output.parent_path() / fmt::format("{}_frames", options.output.stem().string());
      std::error_code failed;
      fs::create_directories(output, failed);
      if (failed) throw Error(ExitCode::kRecordingFailed, failed.message(), output.string());
      // Frames of another video would stand among those of this one.
      if (!fs::is_empty(output, failed)) {
        throw Error(ExitCode::kRecordingFailed, "is where frames would go, and is not empty",
                    output.string(), "remove it, name another -o, or install ffmpeg");
      }
      std::fprintf(
          stderr,
          "fulgurite: there is no ffmpeg: frames go to %s/000000.png, 000001.png ... (install "
          "ffmpeg for a video)\n",
          output.c_str());
    } else {
      process.emplace(command_line(ffmpeg, options));
    }
    worker = std::thread([this] { work(); });
  }

  ~Impl() { stop(); }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      ended = true;
    }
    changed.notify_all();
    if (worker.joinable()) worker.join();
  }

  void work() {
    for (uint64_t index = 0;; ++index) {
      std::vector<uint8_t> frame;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return ended || !queue.empty(); });
        if (queue.empty()) return;
        frame = std::move(queue.front());
        queue.pop_front();
      }
      changed.notify_all();
      std::optional<std::string> problem;
      try {
        if (process) {
          if (!process->write(std::as_bytes(std::span(frame)))) problem = "";
        } else {
          write_png(output / fmt::format("{:06}.png", index), options.width, options.height, frame,
                    3);
        }
        if (!problem) {
          const std::lock_guard lock(mutex);
          spare.push_back(std::move(frame));
          continue;
        }
      } catch (const std::exception& error) {
        problem = error.what();
      }
      const std::lock_guard lock(mutex);
      failure = problem;
      queue.clear();
      changed.notify_all();
      return;
    }
  }

  uint32_t padded(uint32_t size) const noexcept { return process ? even(size) : size; }

  void throw_failure() {
    if (process && failure->empty()) {
      const int status = process->finish();
      const std::string& words = process->last_line();
      throw Error(ExitCode::kRecordingFailed,
                  words.empty() ? fmt::format("ffmpeg ended with status {}", status) : words,
                  "ffmpeg");
    }
    throw Error(ExitCode::kRecordingFailed, *failure);
  }

  void add(std::span<const uint8_t> rgba) {
    CHECK(rgba.size() == size_t{options.width} * options.height * 4);
    std::unique_lock lock(mutex);
    CHECK(!ended);
    changed.wait(lock, [&] { return failure || queue.size() < kQueue; });
    if (failure) {
      lock.unlock();
      throw_failure();
    }
    std::vector<uint8_t> frame;
    if (!spare.empty()) {
      frame = std::move(spare.back());
      spare.pop_back();
    }
    frame.assign(rgba.begin(), rgba.end());
    queue.push_back(std::move(frame));
    ++frames;
    lock.unlock();
    changed.notify_all();
  }

  void finish() {
    if (finished) return;
    finished = true;
    stop();
    if (failure) throw_failure();
    if (!process) return;
    if (const int status = process->finish(); status != 0) {
      failure = "";
      throw_failure();
    }
    if (is_mp4(output)) remux();
    // On a disk that is full ffmpeg may say nothing.
    if (const uint64_t whole = frames_in(output); whole < frames) {
      throw Error(ExitCode::kRecordingFailed, fmt::format("holds {} of {} frames", whole, frames),
                  output.string(), "is the disk full?");
    }
  }

  // The fragmented file plays as it is; a plain one with its index in front starts faster
  // elsewhere.
  void remux() {
    fs::path plain = output;
    plain.replace_filename(
        fmt::format(".{}.faststart{}", output.stem().string(), output.extension().string()));
    Process copy({ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i",
                  "file:" + output.string(), "-c", "copy", "-movflags", "+faststart",
                  "file:" + plain.string()});
    std::error_code failed;
    if (copy.finish() == 0 && frames_in(plain) == frames) fs::rename(plain, output, failed);
    fs::remove(plain, failed);
  }

  // Read back from the file; 0 where it is no video. Each packet takes its number for its time, and
  // a line on stderr says it (ffmpeg 6.1 does not count what it copies).
  uint64_t frames_in(const fs::path& path) const {
    Process read({ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-i",
                  "file:" + path.string(), "-map", "0:v:0", "-c", "copy", "-bsf:v", "setts=ts=N",
                  "-f", "framecrc", "pipe:2"});
    unsigned long long last = 0;
    const bool readable = read.finish() == 0;
    return readable && std::sscanf(read.last_line().c_str(), "0, %llu,", &last) == 1 ? last + 1 : 0;
  }

  EncoderOptions options;
  fs::path output;
  std::string ffmpeg;
  std::optional<Process> process;
  std::thread worker;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::vector<uint8_t>> queue;
  std::vector<std::vector<uint8_t>> spare;
  std::optional<std::string> failure;  // empty: ask ffmpeg
  bool ended = false;
  bool finished = false;
  uint64_t frames = 0;
};

Encoder::Encoder(const EncoderOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Encoder::~Encoder() = default;
void Encoder::add(std::span<const uint8_t> rgba) {
  impl_->add(rgba);
}
void Encoder::finish() {
  impl_->finish();
}
const std::filesystem::path& Encoder::output() const noexcept {
  return impl_->output;
}
uint64_t Encoder::frames() const noexcept {
  return impl_->frames;
}
uint32_t Encoder::width() const noexcept {
  return impl_->padded(impl_->options.width);
}
uint32_t Encoder::height() const noexcept {
  return impl_->padded(impl_->options.height);
}

}  // namespace render
