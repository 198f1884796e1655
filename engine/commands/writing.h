// A model that writes one conversation after the other, beside a picture that is measured.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/inference.h"
#include "engine/trace/reader.h"

namespace engine::commands {

// One thread; what it writes is read as a window reads it.
class Writing {
 public:
  // Throws as Inference does.
  Writing(LoadedModel& model, Generate what, const SessionOptions& session);

  // Once a frame. Returns the tokens written so far. Throws Error (failed) when it cannot write.
  uint64_t operator()();

 private:
  Generate what_;
  trace::Log log_;
  trace::Reader reader_{log_};
  Control control_;
  std::unique_ptr<Inference> inference_;
  uint64_t asked_ = 0;   // conversations
  uint64_t before_ = 0;  // tokens of those that are over
};

}  // namespace engine::commands
