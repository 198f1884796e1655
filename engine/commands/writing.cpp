#include "engine/commands/writing.h"

#include <utility>

#include "engine/threads.h"
#include "model/error.h"

namespace engine::commands {

Writing::Writing(LoadedModel& model, Generate what, const SessionOptions& session)
    : what_(std::move(what)) {
  what_.n = 0;
  behind_the_picture(
      [&] { inference_ = std::make_unique<Inference>(model, log_, control_, session, ""); });
}

uint64_t Writing::operator()() {
  reader_.poll();
  if (reader_.failed())
    throw fulgurite::Error(fulgurite::ExitCode::kFailed, std::string(reader_.note()));
  if (reader_.conversation() == asked_ && (asked_ == 0 || reader_.finished())) {
    before_ += reader_.positions();
    ++what_.sampling.seed;
    ++asked_;
    control_.post(what_);
  }
  return before_ + (reader_.finished() ? 0 : reader_.positions());
}

}  // namespace engine::commands
