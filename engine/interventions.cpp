#include "engine/interventions.h"

#include "engine/trace/muted.h"
#include "model/error.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;
using trace::MutedKind;
using trace::MutedPart;

namespace {

// For a number beyond those of `count` parts.
[[noreturn]] void refuse(const MutedPart& part, const std::string& what, int64_t count) {
  throw Error(ExitCode::kUsage, "there is no such part", trace::name_of(part),
              count == 0 ? "the model has no " + what
                         : "the model has " + what + " 0 to " + std::to_string(count - 1));
}

}  // namespace

std::vector<model::Mute> mutes_of(std::span<const MutedPart> parts, const model::Config& c) {
  if (parts.size() > trace::kMostMuted) {
    throw Error(ExitCode::kUsage, std::to_string(parts.size()) + " parts are too many", "muting",
                "name whole layers: L3.A, L3.M");
  }
  std::vector<model::Mute> mutes;
  for (const MutedPart& part : parts) {
    if (part.layer >= c.n_layer) refuse(part, "layers", c.n_layer);
    const auto index = int64_t{part.index};
    const int64_t neurons = c.neurons(part.layer);
    const auto mute = [&](model::Part kind, int64_t first, int64_t last) {
      mutes.push_back({kind, part.layer, first, last});
    };
    switch (part.kind) {
      case MutedKind::kHead:
        if (index >= c.n_head) refuse(part, "heads", c.n_head);
        mute(model::Part::kHeads, index, index + 1);
        continue;
      case MutedKind::kHeads:
        mute(model::Part::kHeads, 0, c.n_head);
        continue;
      case MutedKind::kNeuron:
        if (index >= neurons) refuse(part, "neurons", neurons);
        mute(model::Part::kNeurons, index, index + 1);
        continue;
      case MutedKind::kNeurons:
        mute(model::Part::kNeurons, 0, neurons);
        continue;
      case MutedKind::kExpert: {
        const bool mixed = c.mixed(part.layer);
        const int64_t experts = mixed ? c.n_expert + (c.n_ff_shared > 0 ? 1 : 0) : 0;
        if (index >= experts) refuse(part, "experts", experts);
        mute(model::Part::kNeurons, index * c.n_ff,
             index < c.n_expert ? (index + 1) * c.n_ff : neurons);
        continue;
      }
    }
    throw Error(ExitCode::kUsage, "a part of a kind that this version does not know", "muting",
                "update fulgurite");
  }
  return mutes;
}

}  // namespace engine
