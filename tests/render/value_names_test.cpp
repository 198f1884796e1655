// One click says which tensor: what a light or a bolt names is what `fulgurite tap` writes under
// that name, and its number is made of it. No driver needed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>

#include "engine/trace/file.h"
#include "render/scene/bolt_meaning.h"
#include "render/scene/choreography.h"
#include "render/scene/node_meaning.h"
#include "tests/support/npy_file.h"
#include "tests/support/run_program.h"

namespace {

using scene::Kind;

constexpr const char* kPrompt = "ROMEO:";
constexpr size_t kPositions = 6;

// "blk.3.attn.weights[0..1,4]"
struct ValueName {
  std::string tap;
  std::vector<size_t> first, last;
};

std::vector<ValueName> names_in(const std::string& text) {
  std::vector<ValueName> names;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(", ", begin), text.size());
    const std::string one = text.substr(begin, end - begin);
    ValueName name{one.substr(0, one.find('[')), {}, {}};
    const char* at = one.c_str() + name.tap.size();
    while (*at == '[' || *at == ',') {
      char* rest = nullptr;
      name.first.push_back(std::strtoul(at + 1, &rest, 10));
      name.last.push_back(name.first.back());
      if (*rest == '.') name.last.back() = std::strtoul(rest + 2, &rest, 10);
      at = rest;
    }
    names.push_back(std::move(name));
    begin = end + 2;
  }
  return names;
}

class ValueNames : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* program = std::getenv("FULGURITE_PROGRAM");
    ASSERT_NE(program, nullptr) << "set FULGURITE_PROGRAM to the program that writes the trace";
    program_ = program;
    file_ = std::filesystem::temp_directory_path() / ("value-names-" + std::to_string(getpid()));
    run({"run", "-p", kPrompt, "-n", "2", "--seed", "1", "--taps", "full", "--trace", file_});
    EXPECT_TRUE(trace::load_file(file_, log_).complete);
    reader_.poll();
    layout_ = std::make_unique<scene::Layout>(reader_.model()->record);
  }
  void TearDown() override { std::filesystem::remove(file_); }

  void run(std::vector<std::string> words) const {
    words.insert(words.begin(), program_);
    const auto outcome = tests::run_program(words);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  // Of the prompt's last position; of what a cache holds all of them.
  const std::vector<float>& values(const std::string& tap) {
    std::vector<float>& found = taps_[tap];
    if (!found.empty()) return found;
    run({"tap", "-p", kPrompt, "--name", tap, "--out", file_});
    found = tests::read_npy(file_).values;
    if (tap.find(".kv.") == std::string::npos)
      found.erase(found.begin(), found.end() - static_cast<ptrdiff_t>(found.size() / kPositions));
    return found;
  }
  float value(const ValueName& name) {
    EXPECT_EQ(1U, name.first.size()) << name.tap;
    return values(name.tap).at(name.first.at(0));
  }
  double size(const ValueName& name) {
    const std::vector<float>& v = values(name.tap);
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  }
  double probability(const ValueName& name) {
    double sum = 0.0;
    for (const float logit : values(name.tap)) sum += std::exp(double{logit} / 0.8);
    return std::exp(double{value(name)} / 0.8) / sum;
  }

  std::string program_, file_;
  trace::Log log_;
  trace::Reader reader_{log_};
  std::unique_ptr<scene::Layout> layout_;
  std::map<std::string, std::vector<float>> taps_;
};

TEST_F(ValueNames, OfNodesHoldTheirNumbers) {
  std::map<Kind, size_t> compared;
  for (uint32_t element = 0; element < layout_->elements(); ++element) {
    const scene::NodeRef ref = layout_->ref(element);
    const scene::Meaning meaning = scene::explain(reader_, *layout_, ref, 0);
    if (!meaning.known) continue;
    const std::vector<ValueName> names = names_in(meaning.tensor);
    ASSERT_FALSE(names.empty()) << layout_->path(ref);
    double expected = 0.0;
    switch (ref.kind) {
      case Kind::kSpineAttention:
      case Kind::kSpineFfn:
        ASSERT_EQ(2U, names.size());
        expected = size(names[0]) / size(names[1]);
        break;
      case Kind::kHead:
        expected = double{value(names[0])};
        break;
      case Kind::kCell:
        expected = std::abs(double{value(names[0])});
        break;
      case Kind::kSlot: {
        const ValueName& a = names[0];
        ASSERT_EQ(2U, a.first.size());
        for (size_t h = a.first[0]; h <= a.last[0]; ++h)
          expected += double{values(a.tap).at(h * kPositions + a.first[1])};
        expected /= static_cast<double>(a.last[0] - a.first[0] + 1);
        break;
      }
      case Kind::kCandidate:
        expected = probability(names[0]);
        break;
      default:
        EXPECT_FALSE(values(names[0].tap).empty());
        continue;
    }
    EXPECT_NEAR(expected, double{meaning.value}, 1e-4 * std::abs(expected) + 1e-6)
        << layout_->path(ref) << ": " << meaning.tensor;
    ++compared[ref.kind];
  }
  for (const Kind kind : {Kind::kSpineAttention, Kind::kSpineFfn, Kind::kHead, Kind::kCell,
                          Kind::kSlot, Kind::kCandidate}) {
    EXPECT_GT(compared[kind], 0U) << static_cast<int>(kind);
  }
}

TEST_F(ValueNames, OfBoltsHoldTheirNumbers) {
  std::map<std::string, size_t> compared;
  for (const shaders::Bolt& bolt : scene::choreograph(reader_, *layout_, 0).bolts) {
    if ((bolt.flags & shaders::kBoltFork) != 0) continue;
    const scene::BoltMeaning meaning = explain_bolt(reader_, *layout_, 0, bolt);
    if (meaning.tensor.empty()) continue;
    const std::vector<ValueName> names = names_in(meaning.tensor);
    double expected = 0.0;
    if (meaning.measure == "share of the head's output") {
      // a_j v_j . back / energy
      ASSERT_EQ(3U, names.size());
      const size_t head = names[0].first.at(0);
      const size_t position = names[0].first.at(1);
      const auto& m = layout_->model();
      const double a = double{values(names[0].tap).at(head * kPositions + position)};
      EXPECT_NEAR(a, double{meaning.second_value}, 1e-4 * a) << meaning.tensor;
      EXPECT_EQ(position, names[1].first.at(0));
      const size_t lane = head / (m.heads / m.kv_heads);
      const float* v = values(names[1].tap).data() + (position * m.kv_heads + lane) * m.head_width;
      const float* back = values(names[2].tap).data() + names[2].first.at(0) * m.head_width;
      const std::string energy = names[2].tap.substr(0, names[2].tap.rfind('.')) + ".head_energy";
      expected =
          a * std::inner_product(v, v + m.head_width, back, 0.0) / double{values(energy).at(head)};
    } else if (meaning.measure == "share of the activations' energy") {
      expected = std::pow(double{value(names[0])} / size(names[0]), 2.0);
    } else if (meaning.measure == "probability") {
      expected = probability(names[0]);
    } else if (!names[0].first.empty()) {
      expected = double{value(names[0])};
    } else {
      EXPECT_FALSE(values(names[0].tap).empty());
      continue;
    }
    EXPECT_NEAR(expected, double{meaning.share}, 1e-3 * std::abs(expected) + 1e-5)
        << meaning.name << ": " << meaning.tensor;
    ++compared[meaning.measure];
  }
  for (const char* measure :
       {"share of the head's output", "share of the attention update", "share of the FFN update",
        "share of the activations' energy", "probability"}) {
    EXPECT_GT(compared[measure], 0U) << measure;
  }
}

}  // namespace
