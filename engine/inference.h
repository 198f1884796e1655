// The inference thread: a session that listens to the control queue.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "engine/control.h"
#include "engine/session.h"
#include "engine/trace/file.h"

namespace engine {

// Owns the session and the trace's write end; both are touched by its thread alone.
// A prompt that does not fit, or a disk that is full, becomes a note in the trace.
class Inference {
 public:
  // trace_path: also write the trace there; empty: do not.
  // Throws as Session and FileWriter do.
  Inference(LoadedModel& model, trace::Log& log, Control& control, const SessionOptions& options,
            const std::string& trace_path);
  // Stops after the token at hand, finishes the file and joins.
  ~Inference();

 private:
  void loop();
  void step();
  void handle(const Command& command);

  Control& control_;
  Session session_;
  std::unique_ptr<trace::FileWriter> file_;
  bool paused_ = false;
  std::thread thread_;
};

}  // namespace engine
