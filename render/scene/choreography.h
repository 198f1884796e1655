// A step of the trace -> the lights and bolts that show it. Pure functions: the same
// trace and the same layout give the same sky. Every value is a number of the trace;
// node_meaning.h and bolt_meaning.h say which.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/trace/reader.h"
#include "render/scene/clock.h"
#include "render/scene/layout.h"
#include "render/scene/quantities.h"
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
  // false: of steps that are shown as one climb an older one, with lights that fade alone: its
  // bolts and bars are not shown.
  bool newest = true;
};

// step < reader.steps(). Detail that was dropped or never captured leaves no light.
Script choreograph(const trace::Reader& reader, const Layout& layout, size_t step,
                   Telling telling = {});

// The column at the front at this playhead: it glides to the next while the chosen
// token falls. Fractional.
// glide false: it is there at once when the step is over.
float column_now(const trace::Reader& reader, const Layout& layout, double playhead,
                 double merge = 1.0, bool glide = true);

}  // namespace scene
