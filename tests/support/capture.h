// A sink that keeps a copy of everything one forward pass makes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "model/arch/registry.h"
#include "model/kv_cache.h"
#include "model/tap.h"

namespace tests {

class Capture final : public model::TapSink {
 public:
  struct Values {
    int64_t rows = 0, cols = 0;
    std::vector<float> data;
    const float* row(int64_t i) const { return data.data() + i * cols; }
  };

  bool wants(model::Tap) const noexcept override { return true; }
  void on_tap(model::Tap tap, int64_t layer, int64_t /*position*/, const float* data, int64_t rows,
              int64_t cols) override {
    seen_[{tap, layer}] = {rows, cols, {data, data + rows * cols}};
  }
  // Global taps: layer 0.
  const Values& at(model::Tap tap, int64_t layer = 0) const { return seen_.at({tap, layer}); }
  bool has(model::Tap tap, int64_t layer = 0) const { return seen_.contains({tap, layer}); }
  size_t count() const { return seen_.size(); }

 private:
  std::map<std::pair<model::Tap, int64_t>, Values> seen_;
};

// Every position of a text, run apart from any session: what was made at each, and the cache.
struct Passes {
  Passes(model::Model& network, const std::vector<int32_t>& ids,
         model::CacheType type = model::CacheType::kF32, std::span<const model::Mute> muted = {})
      : cache(network.config(), static_cast<int64_t>(ids.size()), type), positions(ids.size()) {
    logits.resize(static_cast<size_t>(network.config().n_vocab));
    for (size_t p = 0; p < ids.size(); ++p) {
      network.forward(std::span(ids).subspan(p, 1), static_cast<int64_t>(p), cache, logits.data(),
                      1, &positions[p], muted);
    }
  }
  model::KvCache cache;
  std::vector<Capture> positions;
  std::vector<float> logits;  // of the last
};

}  // namespace tests
