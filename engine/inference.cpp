#include "engine/inference.h"

#include <new>

#include <variant>

#include "model/error.h"

namespace engine {

Inference::Inference(LoadedModel& model, trace::Log& log, Control& control,
                     const SessionOptions& options, const std::string& trace_path)
    : control_(control),
      session_(model, log, options),
      file_(trace_path.empty() ? nullptr : std::make_unique<trace::FileWriter>(log, trace_path)),
      thread_([this] { loop(); }) {}

Inference::~Inference() {
  control_.stop();
  thread_.join();
}

void Inference::handle(const Command& command) {
  if (const auto* generate = std::get_if<Generate>(&command)) {
    session_.start(*generate);
  } else if (const auto* inspect = std::get_if<Inspect>(&command)) {
    session_.inspect(*inspect);
  } else if (const auto* pause = std::get_if<Pause>(&command)) {
    paused_ = pause->paused;
  }
}

// A step that fails would fail again: the conversation ends with the reason.
void Inference::step() {
  try {
    session_.step();
  } catch (const fulgurite::Error& error) {
    session_.abandon(error.what());
  } catch (const std::bad_alloc&) {
    session_.abandon("there is not enough memory; a shorter context (-c) needs less");
  }
}

void Inference::loop() {
  while (!control_.stopping()) {
    try {
      for (Command command; control_.take(command);) handle(command);
      const bool idle = paused_ || session_.finished();
      if (!idle) step();
      if (file_) file_->drain();
      if (idle && !control_.stopping()) control_.wait();
    } catch (const fulgurite::Error& error) {
      // The picture stays; the sentence says what did not work.
      const bool disk = file_ && error.code() == fulgurite::ExitCode::kFailed;
      session_.note(disk ? trace::NoteKind::kTraceFailed : trace::NoteKind::kError, error.what());
      if (disk) file_.reset();
    }
  }
}

}  // namespace engine
