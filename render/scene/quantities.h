// Numbers of the trace as lights and bolts show them: what is put together of several, and how a
// value becomes brightness.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/trace/reader.h"
#include "render/scene/layout.h"

namespace scene {

// A first position that holds more of a head's attention than this is a sink: its read is drawn as
// a drain. Not before there are some positions that it could have looked at instead.
inline constexpr float kDrainWeight = 0.5F;
inline constexpr uint32_t kDrainFrom = 3;  // position of the reader

// Candidates with a bar of their own, and the probability of all others. logits.record: not null.
uint32_t bars(const trace::Logits& logits);
float rest_of_bars(const trace::Logits& logits);

// Where an element lies while the bars of a step of the reader, its model's, stand at the crown: a
// bar is as high as its probability, everything else as it always lies.
Box risen_box(const Layout& layout, uint32_t element, float now, const trace::Reader& reader,
              std::optional<size_t> crown_step);

// Brightness of a measured value: asinh(value / scale) / asinh(1), 1 at the scale; sign kept.
float brightness(float value, float scale);
// The same of a value >= 0, and 0 where it is below `least`, as most are: without a logarithm.
float brightness(float value, float scale, float least);

// The read that goes down the drain, or null.
const trace::KvRead* drain_of(const trace::Attention& attention, uint32_t layer, uint32_t head);

// Sum of the squares of a layer's activations: what a neuron's share of the energy is measured by.
float activation_energy(const trace::Ffn& ffn, const Layout& layout, uint32_t layer);

// Attention weight that the positions of a column, from `first` on, received together: mean over
// the heads that share KV head k.
float column_read(const trace::Kv& kv, const Layout& layout, uint32_t layer, uint32_t k,
                  uint32_t first);

// The tokens of a column's positions below `end`, one after the other, as visible_text() shows
// them.
std::string column_text(const trace::Reader& reader, const Layout& layout, uint32_t column,
                        uint32_t end);

// "position 7", or where columns hold several "positions 6 to 7".
std::string column_name(const Layout& layout, uint32_t column);

// The router's largest probability: how sure it is.
float surest(const trace::Experts& experts, uint32_t layer);

}  // namespace scene
