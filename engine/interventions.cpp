#include "engine/interventions.h"

#include "engine/trace/muted.h"
#include "model/error.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;
using trace::MutedKind;
using trace::MutedPart;

std::vector<model::Mute> mutes_of(std::span<const MutedPart> parts, const model::Config& c) {
  if (parts.size() > trace::kMostMuted) {
    throw Error(ExitCode::kUsage, std::to_string(parts.size()) + " parts are too many", "muting",
                "name whole layers: L3.A, L3.M");
  }
  std::vector<model::Mute> mutes;
  for (const MutedPart& part : parts) {
    const bool heads = part.kind == MutedKind::kHead || part.kind == MutedKind::kHeads;
    const bool all = part.kind == MutedKind::kHeads || part.kind == MutedKind::kNeurons;
    const int64_t n = heads ? c.n_head : c.neurons();
    const auto refuse = [&](const std::string& what, int64_t count) {
      throw Error(ExitCode::kUsage, "there is no such part", trace::name_of(part),
                  "the model has " + what + " 0 to " + std::to_string(count - 1));
    };
    if (part.kind > MutedKind::kNeurons) {
      throw Error(ExitCode::kUsage, "a part of a kind that this version does not know", "muting",
                  "update fulgurite");
    }
    if (part.layer >= c.n_layer) refuse("layers", c.n_layer);
    if (!all && part.index >= n) refuse(heads ? "heads" : "neurons", n);
    mutes.push_back({heads ? model::Part::kHeads : model::Part::kNeurons, part.layer,
                     all ? 0 : part.index, all ? n : int64_t{part.index} + 1});
  }
  return mutes;
}

}  // namespace engine
