// The inference thread: a session that listens to the control queue.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "engine/control.h"
#include "engine/session.h"
#include "engine/trace/file.h"
#include "model/error.h"

namespace engine {

// Owns the session and the trace's write end; both are touched by its thread alone.
// A prompt that does not fit, or a disk that is full, becomes a note in the trace.
class Inference {
 public:
  // trace_path: also write the trace there; empty: do not.
  // Throws as Session and FileWriter do.
  Inference(LoadedModel& model, trace::Log& log, Control& control, const SessionOptions& options,
            const std::string& trace_path);
  ~Inference();

  // Stops after the token at hand, joins and finishes the trace's file. Throws Error (failed) when
  // the file could not be written to its end. Whoever has nobody to tell leaves it to the
  // destructor.
  void finish();

 private:
  void say(trace::NoteKind kind, const char* what) noexcept;
  // Does it; what it throws is said, and the thread goes on.
  void answering(const std::function<void()>& work) noexcept;
  void loop();
  void step();
  bool between_batches(bool first);
  void take_questions();
  void earn_tiles() noexcept;
  void handle(const Command& command);
  void read_tiles(bool idle);
  void write_trace();

  // A generating model spends one part in so many of its time on InspectTile.
  static constexpr int kTileShare = 16;
  // Between two looks at the control queue.
  static constexpr std::chrono::nanoseconds kTilesAtOnce{8'000'000};

  Control& control_;
  Session session_;
  std::unique_ptr<trace::FileWriter> file_;
  std::optional<fulgurite::Error> trace_failure_;
  bool stepped_ = false;  // in part; before, there is nothing that an older trace should go for
  bool paused_ = false;
  std::optional<Command> next_;  // begins a conversation when the prompt at hand has been given up
  std::chrono::steady_clock::time_point worked_until_;  // since when no tiles were earned
  std::chrono::nanoseconds credit_{};
  std::thread thread_;
};

}  // namespace engine
