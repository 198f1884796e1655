// A token that was or might have been drawn, as traces hold it.
#pragma once

#include <string_view>

#include "engine/sampler.h"
#include "engine/trace/schema.h"

namespace engine {

// text: the token's; what is too long ends with an ellipsis behind a whole character.
trace::Candidate candidate_of(const Choice& choice, std::string_view text) noexcept;

}  // namespace engine
