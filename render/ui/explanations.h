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

  // In the inspector. What is read behind a layer at the end of a step.
  void readings(State& state, uint32_t layer, size_t step);
  // What made the logit of the candidate of this rank.
  void terms(State& state, uint32_t rank, size_t step, bool interactive);

 private:
  struct Question {
    uint64_t conversation = 0;
    uint32_t position = 0;
    int32_t token = -1;
    int32_t against = -1;
    double when = 0.0;  // seconds, as the panels' clock goes
  };
  // Asks unless the last question is still on its way: one at a time, for each may take a large
  // model long.
  template <class Command>
  void ask(State& state, const Command& command, const Question& question, Question& asked,
           bool answered);
  // True while the answer has to be waited for.
  bool ask_readings(State& state, size_t step);

  Question lens_, attribution_;  // asked last; of no conversation: none
  bool alone_ = false;           // not against another candidate
};

}  // namespace ui
