// Frames -> a video file, through the `ffmpeg` program on a pipe; without ffmpeg, PNG files.
//
// H.264 (libx264 if ffmpeg has it), yuv420p, in MP4: fragmented while it is written, so that what a
// killed recording leaves still plays; moved to a faststart file by finish(). A thread of its own
// feeds the pipe from a bounded queue: add() waits when ffmpeg is slower than the frames.
// ffmpeg runs in its own process group: Ctrl-C reaches the program, which finishes the recording.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace render {

struct EncoderOptions {
  std::filesystem::path output;  // OUT.mp4 (any container that ffmpeg knows by its suffix)
  uint32_t width = 0;            // pixels; odd sizes are padded by one for yuv420p
  uint32_t height = 0;
  double fps = 30;
};

// Throws Error (usage) where the name's ending is that of no video of this size and rate. Without
// ffmpeg all are well.
void check_video(const EncoderOptions& options);

class Encoder {
 public:
  // Throws Error (recording_failed) when the output cannot be written or ffmpeg does not start.
  // Says on stderr when there is no ffmpeg and where the PNG files go.
  explicit Encoder(const EncoderOptions& options);
  ~Encoder();  // without finish(): keeps what is written so far
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // width * height * 4 bytes, RGBA8, rows from the top; copied. Throws Error (recording_failed)
  // with ffmpeg's last words once it has died.
  void add(std::span<const uint8_t> rgba);
  // Ends the file and waits. Throws as add().
  void finish();

  // The file, or the folder OUT_frames when there is no ffmpeg.
  const std::filesystem::path& output() const noexcept;
  uint64_t frames() const noexcept;
  // Pixels of the frames there: of a video even.
  uint32_t width() const noexcept;
  uint32_t height() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace render
