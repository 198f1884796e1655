#include "engine/inference.h"

#include <algorithm>
#include <new>
#include <utility>
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
  if (thread_.joinable()) thread_.join();
}

void Inference::finish() {
  control_.stop();
  if (thread_.joinable()) thread_.join();
  if (file_ && stepped_) file_->finish();
  if (trace_failure_) throw fulgurite::Error(*trace_failure_);
}

void Inference::handle(const Command& command) {
  if (const auto* generate = std::get_if<Generate>(&command)) {
    session_.start(*generate);
  } else if (const auto* replay = std::get_if<Replay>(&command)) {
    session_.start(*replay);
  } else if (const auto* inspect = std::get_if<Inspect>(&command)) {
    session_.inspect(*inspect);
  } else if (const auto* tile = std::get_if<InspectTile>(&command)) {
    session_.ask_tile(*tile);
  } else if (const auto* lens = std::get_if<ReadLens>(&command)) {
    session_.read_lens(*lens);
  } else if (const auto* attribute = std::get_if<Attribute>(&command)) {
    session_.attribute(*attribute);
  } else if (const auto* pause = std::get_if<Pause>(&command)) {
    paused_ = pause->paused;
  }
}

// The picture stays when the disk is full; the sentence says what did not work.
void Inference::write_trace() {
  if (!file_ || !stepped_) return;
  try {
    file_->drain();
  } catch (const fulgurite::Error& error) {
    session_.note(trace::NoteKind::kTraceFailed, error.what());
    trace_failure_ = error;
    file_.reset();
  }
}

// A step that fails would fail again: the conversation ends with the reason.
void Inference::step() {
  const bool first = !stepped_;
  worked_until_ = std::chrono::steady_clock::now();
  try {
    session_.step([&] { return between_batches(first); });
  } catch (const fulgurite::Error& error) {
    session_.abandon(error.what(), error.code() == fulgurite::ExitCode::kBadModel
                                       ? trace::NoteKind::kModelFailed
                                       : trace::NoteKind::kError);
  } catch (const std::bad_alloc&) {
    session_.abandon("there is not enough memory; a shorter context (-c) needs less",
                     trace::NoteKind::kFailed);
  }
}

// A long prompt goes to the file batch by batch. Meanwhile questions are answered and it can be
// held; it is given up for another one, and when the program ends: but then not in a file that
// holds conversations before it.
bool Inference::between_batches(bool first) {
  stepped_ = true;
  earn_tiles();
  for (;;) {
    write_trace();
    take_questions();
    if (control_.stopping()) return file_ && !first;
    if (next_) return false;
    read_tiles(paused_);
    if (!paused_) break;
    if (!session_.tiles_pending()) control_.wait();
  }
  worked_until_ = std::chrono::steady_clock::now();
  return true;
}

// Up to one that begins another conversation. One that is not possible is no reason to end this.
void Inference::take_questions() {
  for (Command command; !control_.stopping() && !next_ && control_.take(command);) {
    answering([&] {
      const auto* generate = std::get_if<Generate>(&command);
      const auto* replay = std::get_if<Replay>(&command);
      if (generate == nullptr && replay == nullptr) return handle(command);
      generate != nullptr ? session_.require_possible(*generate)
                          : session_.require_possible(*replay);
      next_ = std::move(command);
    });
  }
}

void Inference::earn_tiles() noexcept {
  const auto now = std::chrono::steady_clock::now();
  credit_ += (now - worked_until_) / kTileShare;
  worked_until_ = now;
}

// A generating model gives one part in kTileShare of its time; what a piece of work took too much
// is saved at the steps that follow.
void Inference::read_tiles(bool idle) {
  if (!session_.tiles_pending()) {
    credit_ = std::min(credit_, std::chrono::nanoseconds{});  // debts are kept
    return;
  }
  if (idle) {
    session_.read_tiles(kTilesAtOnce);
  } else if (credit_.count() > 0) {
    credit_ -= session_.read_tiles(std::min(credit_, kTilesAtOnce));
  }
}

// Where there is no memory for a sentence either, it is lost; the thread goes on.
void Inference::say(trace::NoteKind kind, const char* what) noexcept {
  try {
    session_.note(kind, what);
  } catch (const std::exception&) {
    return;
  }
}

void Inference::answering(const std::function<void()>& work) noexcept {
  try {
    work();
  } catch (const fulgurite::Error& error) {
    say(trace::NoteKind::kError, error.what());
  } catch (const std::bad_alloc&) {
    say(trace::NoteKind::kFailed, "there is not enough memory for what was asked");
  } catch (const std::exception& error) {
    say(trace::NoteKind::kFailed, error.what());
  }
}

void Inference::loop() {
  while (!control_.stopping()) {
    answering([&] {
      if (next_) handle(*std::exchange(next_, std::nullopt));
      for (Command command; !control_.stopping() && control_.take(command);) handle(command);
      const bool idle = paused_ || session_.finished();
      if (!idle) {
        step();
        stepped_ = true;
        earn_tiles();
      }
      read_tiles(idle);
      write_trace();
      if (idle && !session_.tiles_pending() && !control_.stopping()) control_.wait();
    });
  }
}

}  // namespace engine
