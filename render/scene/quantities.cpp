#include "render/scene/quantities.h"

#include <algorithm>
#include <cmath>

#include "render/scene/text.h"

namespace scene {

namespace {
constexpr float kAtScale = 0.881373587F;  // asinh(1)
}  // namespace

float column_read(const trace::Kv& kv, const Layout& layout, uint32_t l, uint32_t k,
                  uint32_t first) {
  const uint32_t slots = kv.record->slots;
  const uint32_t end = std::min(first + layout.positions_per_column(), slots);
  float sum = 0.0F;
  for (uint32_t j = first; j < end; ++j) sum += kv.read[(l * kv.record->kv_heads + k) * slots + j];
  return sum;
}

std::string column_text(const trace::Reader& reader, const Layout& layout, uint32_t column,
                        uint32_t end) {
  const uint32_t first = column * layout.positions_per_column();
  end = std::min(
      {end, first + layout.positions_per_column(), static_cast<uint32_t>(reader.positions())});
  std::string bytes;
  for (uint32_t p = first; p < end; ++p) bytes += reader.position(p).token.text;
  return visible_text(bytes);
}

std::string column_name(const Layout& layout, uint32_t column) {
  const uint32_t together = layout.positions_per_column();
  const uint32_t first = column * together;
  if (together == 1) return "position " + std::to_string(first);
  return "positions " + std::to_string(first) + " to " + std::to_string(first + together - 1);
}

float surest(const trace::Experts& experts, uint32_t l) {
  const uint32_t n = experts.record->experts;
  const auto all = experts.probability.subspan(size_t{l} * n, n);
  return n == 0 ? 0.0F : *std::max_element(all.begin(), all.end());
}

uint32_t bars(const trace::Logits& logits) {
  return std::min<uint32_t>(logits.record->candidates, Layout::kCandidates);
}

float rest_of_bars(const trace::Logits& logits) {
  float rest = 1.0F;
  for (uint32_t i = 0; i < bars(logits); ++i) rest -= logits.candidates[i].probability;
  return std::max(rest, 0.0F);
}

Box risen_box(const Layout& layout, uint32_t element, float now, const trace::Reader& reader,
              std::optional<size_t> crown_step) {
  Box box = layout.box_of(element, now);
  const NodeRef ref = layout.ref(element);
  if (!at_crown(ref.kind) || !crown_step || *crown_step >= reader.steps()) return box;
  const trace::Logits& logits = reader.position(reader.step(*crown_step).last_position()).logits;
  if (logits.record == nullptr) return box;
  const bool rest = ref.kind == Kind::kRestCandidate;
  if (!rest && ref.index >= bars(logits)) return box;
  const float height = rest ? rest_of_bars(logits) : logits.candidates[ref.index].probability;
  const float rise = 0.5F * layout.node(element).grow * height;
  box.center.y += rise;
  box.half_size.y += rise;
  return box;
}

float brightness(float value, float scale) {
  return scale > 0.0F ? std::asinh(value / scale) / kAtScale : 0.0F;
}

float brightness(float value, float scale, float least) {
  if (value < least * kAtScale * scale) return 0.0F;  // asinh(x) <= x
  const float bright = brightness(value, scale);
  return bright < least ? 0.0F : bright;
}

const trace::KvRead* drain_of(const trace::Attention& attention, uint32_t layer, uint32_t head) {
  if (attention.record->position < kDrainFrom) return nullptr;
  for (const trace::KvRead& read : attention.reads_of(layer, head)) {
    if (read.position == 0) return read.weight > kDrainWeight ? &read : nullptr;
  }
  return nullptr;
}

float activation_energy(const trace::Ffn& ffn, const Layout& layout, uint32_t layer) {
  const auto& m = layout.model();
  const auto begin = [&](uint64_t bucket) { return layout.first_neuron(layer, bucket); };
  double energy = 0.0;
  for (uint32_t b = 0; b < m.buckets; ++b) {
    const double rms = double{ffn.rms[size_t{layer} * m.buckets + b]};
    energy += rms * rms * static_cast<double>(begin(b + 1) - begin(b));
  }
  return static_cast<float>(energy);
}

}  // namespace scene
