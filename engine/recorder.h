// Reduces the taps of a forward pass to the trace's records of one position.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/analysis/percentile.h"
#include "engine/sampler.h"
#include "engine/trace/log.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/tap.h"

namespace engine {

// How much of each list is kept at a level.
struct Detail {
  static constexpr uint32_t kReads = 16;       // KV reads a head, live
  static constexpr uint32_t kNeurons = 16;     // neurons a layer, live
  static constexpr uint32_t kCandidates = 24;  // at the crown
  static constexpr uint32_t kBuckets = 512;    // cells of an FFN plate, at most
};

class Recorder final : public model::TapSink {
 public:
  Recorder(const model::Config& config, trace::Log& log, trace::Level level);

  static uint32_t buckets(const model::Config& config) noexcept;

  // One position: begin, then the forward pass with this as its sink, then end.
  void begin(uint32_t position, const model::KvCache& cache);
  void on_tap(model::Tap tap, int64_t layer, const float* data, int64_t rows,
              int64_t cols) noexcept override;
  void on_operation(int kind, int64_t layer, int64_t bytes) noexcept override;
  // Writes residual, attention, kv, ffn, scale and time.
  void end();

  // What a position says about the next token. texts: of ranking.best; sampled.id -1: none
  // drawn.
  void logits(uint32_t position, const Ranking& ranking, const Choice& sampled,
              const std::vector<std::string_view>& texts);

 private:
  struct Neurons;
  void attention_reads(int64_t layer, const float* back) noexcept;
  void neurons(int64_t layer, const float* back) noexcept;
  Percentile& scale(int64_t layer, trace::Measure measure) noexcept {
    return scales_[static_cast<size_t>(layer) * trace::kMeasureCount +
                   static_cast<size_t>(measure)];
  }

  const model::Config& config_;
  trace::Log& log_;
  trace::Level level_;
  const model::KvCache* cache_ = nullptr;
  uint32_t position_ = 0;

  // Taps that a later tap of the same layer needs again.
  std::vector<float> resid_pre_, resid_mid_, weights_, mix_, head_out_, act_;

  // The records being filled; shapes as in engine/trace/schema.h.
  std::vector<float> rms_, update_, head_bias_;
  std::vector<trace::HeadShare> heads_;
  std::vector<trace::KvRead> reads_;
  uint32_t reads_per_head_ = 0;
  std::vector<float> k_norm_, v_norm_, read_;
  std::vector<float> bucket_rms_, bucket_share_, rest_share_, ffn_bias_;
  std::vector<trace::NeuronShare> top_;
  uint32_t top_per_layer_ = 0;
  std::vector<trace::OperationTime> times_;
  std::vector<Percentile> scales_;

  std::vector<float> shares_;
  std::vector<uint32_t> order_;
  std::chrono::steady_clock::time_point last_operation_;
};

}  // namespace engine
