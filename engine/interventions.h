// What is done to a model while it runs, as people ask for it and as a forward pass takes it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/trace/schema.h"
#include "model/config.h"
#include "model/mute.h"

namespace engine {

// Throws Error (usage) when the model has no such layer, head, neuron or expert, or they are more
// than a trace may name or of an unknown kind.
std::vector<model::Mute> mutes_of(std::span<const trace::MutedPart> parts, const model::Config& c);

}  // namespace engine
