// Parts of a model that a pass runs without: zero ablation (Michel et al. 2019, arXiv:1905.10650).
#pragma once

#include <cstdint>

namespace model {

enum class Part : uint8_t { kHeads, kNeurons };

// Of layer `layer`, heads or neurons first <= i < last: what they give, z_h or act_n, is zero
// before W_O or W_down reads it. The head still looks, the neuron still has its gate and its up;
// biases and the router's choice stay. Neurons of a mixture are numbered as in Tap::kAct: expert
// after expert, what always works last.
struct Mute {
  Part part = Part::kHeads;
  int64_t layer = 0;
  int64_t first = 0, last = 0;
};

}  // namespace model
