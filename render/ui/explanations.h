// Where the next token comes from, asked of the engine: what the model would say behind each layer
// (the logit lens), and what each of its parts added to a candidate's logit.
#pragma once

#include <cstdint>

#include "render/ui/ui.h"

namespace ui {

class Explanations {
 public:
  // Once a frame: asks for the readings of the step that is shown while the storeys show them.
  void follow(State& state);

  // In the inspector. What is read behind a layer at a position.
  void readings(State& state, uint32_t layer, uint32_t position);
  // What made the logit of the candidate of this rank.
  void terms(State& state, uint32_t rank, uint32_t position, bool interactive);

 private:
  struct Question {
    uint64_t conversation = 0;
    uint32_t position = 0;
    int32_t token = -1;
    int32_t against = -1;
    bool operator==(const Question&) const = default;
  };
  // Asks when it was not asked yet; true when it has to be waited for.
  template <class Command>
  bool ask(State& state, const Command& command, const Question& question, Question& asked);
  bool ask_readings(State& state, uint32_t position);

  Question lens_, attribution_;
  bool alone_ = false;  // not against another candidate
};

}  // namespace ui
