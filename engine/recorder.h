// Reduces the taps of a forward pass to the trace's records, a batch of positions at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/analysis/percentile.h"
#include "engine/detail.h"
#include "engine/sampler.h"
#include "engine/trace/log.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/tap.h"

namespace engine {

class Recorder final : public model::TapSink {
 public:
  Recorder(const model::Config& config, trace::Log& log, trace::Level level);

  // How many positions that see up to `reach` positions it takes at once: at least one, and no more
  // than keep what it holds of what each of them sees below 60 MB.
  int64_t batch(int64_t reach) const noexcept;

  // What the records of a position that sees `reach` positions take, about.
  int64_t bytes_of(int64_t reach) const noexcept;

  // n positions from `first` on: begin, then the forward pass with this as its sink, then end.
  void begin(uint32_t first, uint32_t n, const model::KvCache& cache);
  bool wants(model::Tap tap) const noexcept override;
  bool wants_in(int64_t layer, model::Tap tap) const noexcept override;
  void on_tap(model::Tap tap, int64_t layer, int64_t position, const float* data, int64_t rows,
              int64_t cols) override;
  bool wants_heads() const noexcept override { return true; }
  void on_head(int64_t layer, int64_t position, int64_t head,
               const model::AttendedHead& read) override;
  void reduce(model::Operation part, int64_t layer) override;
  // Writes residual, attention, kv, ffn, experts and scale of each position.
  void layers_done() override;
  void on_operation(model::Operation which, int64_t layer, int64_t bytes) override;
  // Writes the time of each position.
  void end();

  // What a position says about the next token. texts: of ranking.best; sampled.id -1: none
  // drawn.
  void logits(uint32_t position, const Ranking& ranking, const Choice& sampled,
              const std::vector<std::string_view>& texts);

 private:
  // Every term of sums of n, from which their lists are made when they are written.
  struct Values {
    std::vector<float> value, share;  // (sums, n)
    std::vector<int32_t> first;       // (sums, 16) the numbers of those that are listed first
  };
  // The records of one position; shapes as in engine/trace/schema.h.
  struct Position {
    std::vector<float> rms, update, head_bias;
    std::vector<trace::HeadShare> heads;
    std::vector<float> sinks;          // of a model that has them
    std::vector<trace::KvRead> reads;  // where not every one is listed
    Values every_read;
    uint32_t reads_per_head = 0;
    std::vector<float> k_norm, v_norm, read;
    std::vector<float> bucket_rms, bucket_share, rest_share, ffn_bias;
    std::vector<trace::NeuronShare> top;  // where not every one is listed
    Values every_neuron;
    std::vector<float> router;                // (L, E), of a mixture
    std::vector<trace::ExpertShare> experts;  // (L, used)
    // Taps of the layer at hand that reduce() works on: the pass's own, and copies.
    const float* weights = nullptr;
    std::vector<float> act, shares, chosen;  // not where every_neuron has them
    std::vector<uint32_t> at_work;           // experts whose neurons act holds
    float size = 0.0F;                       // |x| that the block at hand reads
  };

  void shape(Position& p, uint32_t reach);
  static void shape(Values& of, size_t sums, size_t n);
  bool lists_every() const noexcept { return level_ == trace::Level::kFull; }
  // Whether every neuron's share is asked for: also in a mixture's leading dense layers, which are
  // few, and whose cells are no whole blocks of 32 neurons.
  bool gathers_all(int64_t layer) const noexcept {
    return detail_.all_neurons || (config_.n_expert > 0 && !config_.mixed(layer));
  }
  size_t neurons(int64_t layer) const noexcept;
  // A layer's activations, and the shares of its neurons.
  std::span<float> act_of(Position& p, int64_t layer) const noexcept;
  std::span<float> shares_of(Position& p, int64_t layer) const noexcept;
  std::span<float> of_layer(std::vector<float>& every, int64_t layer) const noexcept;
  void slots_read(Position& p, int64_t layer, size_t reach);
  void all_neurons(Position& p, int64_t layer);
  void cells_and_chosen(Position& p, int64_t layer);
  void keep_act(Position& p, int64_t layer, const float* data);
  void experts(Position& p, int64_t layer, const float* rows, size_t n);
  void bucket_energy(Position& p, int64_t layer);
  void write(uint32_t position, const Position& p);
  Percentile& scale(int64_t layer, trace::Measure measure) noexcept {
    return scales_[static_cast<size_t>(layer) * trace::kMeasureCount +
                   static_cast<size_t>(measure)];
  }

  const model::Config& config_;
  trace::Log& log_;
  trace::Level level_;
  Detail detail_;
  const model::KvCache* cache_ = nullptr;
  uint32_t first_ = 0;
  uint32_t n_ = 0;
  std::vector<Position> positions_;  // of the batch; keep their memory
  std::vector<trace::OperationTime> times_;
  std::vector<Percentile> scales_;
  std::chrono::steady_clock::time_point last_operation_;
};

}  // namespace engine
