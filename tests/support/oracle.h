// What other programs computed from a model: see tests/data/README.md for the files.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tests/support/data.h"

namespace tests {

inline std::vector<float> read_floats(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// |got - expected| / |expected|
inline double relative_rms(std::span<const float> got, std::span<const float> expected) {
  EXPECT_EQ(got.size(), expected.size());
  if (got.size() != expected.size()) return INFINITY;
  double off = 0.0;
  double all = 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = double{got[i]} - double{expected[i]};
    off += d * d;
    all += double{expected[i]} * double{expected[i]};
  }
  return std::sqrt(off / all);
}

// Equal bit for bit, where == would let 0 and -0 pass.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// One model file and the folder of its oracle.json.
struct Oracle {
  std::filesystem::path model;
  std::filesystem::path folder;
  nlohmann::json cases() const { return read_json(folder / "oracle.json")["cases"]; }
};

// Every intermediate of llama.cpp's graph for the first case, by its name there.
class Intermediates {
 public:
  explicit Intermediates(const std::filesystem::path& folder)
      : values_(read_floats(folder / "text0.acts.f32")),
        index_(read_json(folder / "text0.acts.json")["tensors"]) {}

  std::span<const float> at(const std::string& name) const {
    for (const auto& t : index_) {
      if (t["name"] != name) continue;
      return std::span(values_).subspan(t["offset"].get<size_t>() / sizeof(float), t["count"]);
    }
    ADD_FAILURE() << "the oracle has no " << name;
    return {};
  }

 private:
  std::vector<float> values_;
  nlohmann::json index_;
};

inline Oracle own_oracle(const std::string& name) {
  return {data("models/" + name + ".gguf"), data("oracles/" + name)};
}
inline Oracle synthetic_oracle(const std::string& name) {
  return {shared_data("models/synth/" + name + ".gguf"), shared_data("oracles/synth/" + name)};
}
inline Oracle shared_oracle(const std::string& name) {
  return {shared_data("models/real/" + name + ".gguf"), shared_data("oracles/" + name)};
}

}  // namespace tests
