// A step of the trace -> the lights and bolts that show it. Pure functions: the same
// trace and the same layout give the same sky. Every value is a number of the trace;
// explain() says which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/trace/reader.h"
#include "render/scene/clock.h"
#include "render/scene/layout.h"
#include "shaders/shared.h"

namespace scene {

struct Script {
  std::vector<shaders::Light> lights;
  std::vector<shaders::Bolt> bolts;
};

// Bolts whose share of the layer's update is smaller are left to the rest bolt.
inline constexpr float kSmallestBolt = 0.004F;
// ... unless the rest itself is smaller than this share of its sum; of a head's reads, four times.
inline constexpr float kSmallestRest = 0.005F;

// A first position that holds more of a head's attention than this is a sink: its read is drawn as
// a drain. Not before there are some positions that it could have looked at instead.
inline constexpr float kDrainWeight = 0.5F;
inline constexpr uint32_t kDrainFrom = 3;  // position of the reader
// Activations of a smaller share of the layer's energy are left to the rest bolt.
inline constexpr float kSmallestEnergy = 0.02F;
// With show_all: bolts of a step and of a kind, at most; what is too much goes to the rest bolts.
inline constexpr uint32_t kMostBolts = 65536;

// Of a prompt's columns every how manieth shows its reads: no more than kMostBolts altogether.
constexpr uint32_t columns_apart(uint64_t columns, uint32_t layers) {
  return static_cast<uint32_t>((columns * layers + kMostBolts - 1) / kMostBolts);
}

// How a person wants it told.
struct Telling {
  bool show_all = false;  // every read and neuron that the trace lists, not only the strongest
};

// Candidates with a bar of their own, and the probability of all others. logits.record: not null.
uint32_t bars(const trace::Logits& logits);
float rest_of_bars(const trace::Logits& logits);

// Brightness of a measured value: asinh(value / scale) / asinh(1), 1 at the scale; sign kept.
float brightness(float value, float scale);

// step < reader.steps(). Detail that was dropped or never captured leaves no light.
Script choreograph(const trace::Reader& reader, const Layout& layout, size_t step,
                   Telling telling = {});

// The read that goes down the drain, or null.
const trace::KvRead* drain_of(const trace::Attention& attention, uint32_t layer, uint32_t head);

// Sum of the squares of a layer's activations: what a neuron's share of the energy is measured by.
float activation_energy(const trace::Ffn& ffn, const trace::ModelRecord& model, uint32_t layer);

// The column at the front at this playhead: it glides to the next while the chosen
// token falls. Fractional.
// glide false: it is there at once when the step is over.
float column_now(const trace::Reader& reader, const Layout& layout, double playhead,
                 double merge = 1.0, bool glide = true);

// What a node's light stands for at a step, for the inspector and the tests.
struct Meaning {
  std::string measure;  // "share of the attention update"
  std::string formula;  // "<o_h, da> / |da|^2"
  float value = 0.0F;   // the raw number of the trace
  float scale = 0.0F;   // what brightness is measured against; 0: shown as it is
  float light = 0.0F;   // what the GPU is given
  bool known = false;   // false: this step holds nothing for the node
};
Meaning explain(const trace::Reader& reader, const Layout& layout, const NodeRef& ref, size_t step);

}  // namespace scene
