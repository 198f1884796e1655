// The legend is always true: what it says is what the trace, the settings and the moment are.
#include "render/scene/legend.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/support/trace_builder.h"

namespace {

using scene::Legend;
using scene::LegendInput;
using scene::LegendRow;
using trace::Measure;

class Legends : public ::testing::Test {
 protected:
  explicit Legends(uint32_t flags = 0, bool mixture = false)
      : structure_(with(flags, mixture)),
        builder_(log_, model_),
        layout_({trace::Model{model_, structure_, {}, {}, {}}}),
        reader_(log_) {
    builder_.describe();
    builder_.structure(structure_);
    builder_.start();
    builder_.step(6);
    for (int i = 0; i < 20; ++i) builder_.step();
    reader_.poll();
  }
  static trace::StructureRecord with(uint32_t flags, bool mixture) {
    trace::StructureRecord s =
        mixture ? tests::small_mixture() : trace::structure_of(tests::small_model());
    s.flags = flags;
    return s;
  }
  LegendInput at(double playhead) const { return {reader_, layout_, playhead}; }
  static std::string words(const Legend& legend) {
    std::string all = legend.who + "|" + legend.now;
    for (const LegendRow& row : legend.rows)
      all += "|" + row.measure + "|" + row.scale + "|" + row.bolts;
    for (const std::string& note : legend.notes) all += "|" + note;
    for (const std::string& meaning : legend.meanings) all += "|" + meaning;
    return all;
  }
  static bool says(const Legend& legend, const std::string& what) {
    return words(legend).find(what) != std::string::npos;
  }

  trace::ModelRecord model_ = tests::small_model();
  trace::StructureRecord structure_;
  trace::Log log_;
  tests::TraceBuilder builder_;
  scene::Layout layout_;
  trace::Reader reader_;
};

TEST_F(Legends, SayHowManyPositionsHaveLostTheirDetail) {
  EXPECT_FALSE(says(legend(at(4.5)), "memory is full"));
  trace::Log small(2 * trace::Log::kChunkBytes);
  trace::ModelRecord long_one = model_;
  long_one.context = 4096;
  tests::TraceBuilder builder(small, long_one);
  trace::Reader reader(small);
  builder.describe();
  builder.start();
  builder.step(6);
  for (int i = 0; i < 600; ++i) builder.step();
  reader.poll();
  ASSERT_TRUE(reader.dropped());
  uint32_t lost = 0;
  for (uint32_t p = 0; p < reader.positions(); ++p)
    lost += reader.position(p).attention.record == nullptr ? 1 : 0;
  ASSERT_GT(lost, 1U);
  EXPECT_TRUE(says(
      scene::legend({reader, layout_, 599.5}),
      "memory is full: the detail of the first " + std::to_string(lost) + " positions was let go"));
}

TEST_F(Legends, SayHowManyBoltsAreLeftOut) {
  LegendInput input = at(4.5);
  EXPECT_FALSE(says(legend(input), "to keep up"));
  input.bolts_lit = 34'567;
  input.bolts_drawn = 34'567;
  EXPECT_FALSE(says(legend(input), "to keep up")) << "all are drawn";
  input.bolts_drawn = 2'049;
  EXPECT_TRUE(says(legend(input), "about 2000 of 35000 bolts are drawn, the strongest"));
  input.bolts_lit = 97;
  input.bolts_drawn = 96;
  EXPECT_TRUE(says(legend(input), "about 96 of 97 bolts"));
}

TEST_F(Legends, HaveARowForEveryChannel) {
  const Legend l = legend(at(4.5));
  ASSERT_EQ(size_t{shaders::kChannelCount}, l.rows.size());
  for (uint32_t c = 0; c < shaders::kChannelCount; ++c) EXPECT_EQ(c, l.rows[c].channel);
}

TEST_F(Legends, SayTheScaleOfTheLayerInFlight) {
  const scene::Clock clock(model_.layers);
  constexpr std::pair<uint32_t, Measure> kScaled[] = {
      {shaders::kChannelResidual, Measure::kUpdate},
      {shaders::kChannelAttention, Measure::kHeadShare},
      {shaders::kChannelKv, Measure::kKvRead},
      {shaders::kChannelFfn, Measure::kActivation}};
  for (const size_t step : {0U, 4U, 20U}) {
    for (uint32_t layer = 0; layer < model_.layers; ++layer) {
      const double playhead =
          static_cast<double>(step) + double{clock.in_layer(layer, scene::Clock::kWrite + 0.05F)};
      const Legend l = legend(at(playhead));
      EXPECT_EQ("layer " + std::to_string(layer) + ": heads add to the residual stream", l.now);
      const trace::StepRecord& record = reader_.step(step);
      EXPECT_EQ(step == 0 ? "the prompt, 6 tokens"
                          : "position " + std::to_string(record.first_position) + ", \"t" +
                                std::to_string(record.first_position) + "\"",
                l.who);
      const trace::Scale& scale = reader_.position(record.last_position()).scale;
      for (const auto& [channel, measure] : kScaled) {
        char number[24];
        std::snprintf(number, sizeof number, "full at %.3g", double{scale.of(layer, measure)});
        EXPECT_EQ(number, l.rows[channel].scale);
      }
    }
  }
}

// Lights of several layers shine then, each by its own scale.
TEST_F(Legends, SayBetweenWhichScalesLieWhereNoLayerIsInFlight) {
  const trace::Scale& scale = reader_.position(reader_.step(4).first_position).scale;
  float low = 1e9F;
  float high = 0.0F;
  for (uint32_t l = 0; l < model_.layers; ++l) {
    low = std::min(low, scale.of(l, Measure::kActivation));
    high = std::max(high, scale.of(l, Measure::kActivation));
  }
  char range[48];
  std::snprintf(range, sizeof range, "full at %.3g to %.3g", double{low}, double{high});
  for (const double playhead : {4.01, 4.85})
    EXPECT_EQ(range, legend(at(playhead)).rows[shaders::kChannelFfn].scale);
}

TEST_F(Legends, SayWhichPhaseIsInFlight) {
  EXPECT_TRUE(says(legend(at(4.01)), "its embedding enters"));
  EXPECT_TRUE(says(legend(at(4.85)), "the candidates for the next token"));
  EXPECT_TRUE(says(legend(at(4.95)), "falls to the tape"));
  EXPECT_TRUE(says(legend(at(21.0)), "falls to the tape")) << "the end is the last step's";
}

// Three layers take 0.7 of a step; the shortest phase a quarter of one.
TEST_F(Legends, SayOnlyWhatCanBeReadWhileItIsThere) {
  LegendInput in = at(4.3);
  const std::string whole = legend(in).now;
  EXPECT_EQ(0U, whole.find("layer 1: "));
  in.pace = 0.25;
  EXPECT_EQ(whole, legend(in).now);
  in.pace = 1.0;
  EXPECT_EQ("layer 1", legend(in).now);
  EXPECT_TRUE(says(legend(in), " to ")) << "scales of all layers";
  in.pace = 4.0;
  EXPECT_EQ("climbing 3 layers", legend(in).now);
  in.merge = 4.0;
  in.playhead = 5.2;
  EXPECT_EQ("layer 1", legend(in).now) << "a climb of four steps is as slow as one of one";
}

TEST_F(Legends, SayWhatTheWordsAtTheStoreysAre) {
  LegendInput in = at(4.5);
  EXPECT_FALSE(says(legend(in), "at the storeys"));
  in.lens = true;
  EXPECT_TRUE(says(legend(in), "of this step there are no readings"));
  const trace::StepRecord& step = reader_.step(4);
  builder_.lens(step.last_position());
  reader_.poll();
  EXPECT_TRUE(says(legend(in), "softmax(W_U norm(x) / T) finds most probable"));
  EXPECT_TRUE(says(legend(in), "white what is drawn"));
  in.theme = scene::Theme::kLight;
  EXPECT_TRUE(says(legend(in), "black what is drawn"));
}

TEST_F(Legends, SayWhoseBarsStandAtTheCrown) {
  EXPECT_TRUE(says(legend(at(4.5)), "softmax probability, of the step before"));
  EXPECT_FALSE(says(legend(at(4.85)), "of the step before"));
  EXPECT_FALSE(says(legend(at(0.5)), "of the step before")) << "there is none";
}

TEST_F(Legends, SayHowATokenIsDrawn) {
  EXPECT_TRUE(says(legend(at(4.5)),
                   "bars: softmax(logits / 0.8); one is drawn, of the top-k 40, top-p 0.95"));
}

// The bars are the model's probabilities; what a sampler makes of them is another matter.
TEST_F(Legends, SayWhatTheBarsAreWithout) {
  EXPECT_FALSE(says(legend(at(4.5)), "penalties"));
  builder_.start();
  builder_.penalties({0.3F, 1.0F, 0.0F, 0.0F, 64, 0});
  builder_.step(6);
  reader_.poll();
  EXPECT_TRUE(says(legend(at(0.5)), "top-p 0.95, min-p 0.3|"));
  builder_.start();
  builder_.penalties({0.0F, 1.8F, 0.0F, 0.0F, 64, 0});
  builder_.step(6);
  reader_.poll();
  EXPECT_TRUE(says(legend(at(0.5)), "top-p 0.95, after penalties that the bars are without"));
}

TEST_F(Legends, SayWhatTheModelRunsWithout) {
  EXPECT_EQ("", legend(at(4.5)).without);
  builder_.start();
  builder_.muted({{trace::MutedKind::kHead, 1, 2}, {trace::MutedKind::kNeurons, 0, 0}});
  builder_.step(6);
  reader_.poll();
  EXPECT_EQ("runs without layer 1 head 2, layer 0 FFN", legend(at(0.5)).without);
}

TEST_F(Legends, SayNothingOfTheDrawingWhereATraceDoesNot) {
  trace::Log log;
  tests::TraceBuilder bare(log, model_);
  bare.describe();
  bare.step(2);
  trace::Reader reader(log);
  reader.poll();
  EXPECT_FALSE(says(scene::legend({reader, layout_, 0.5}), "bars: "));
}

TEST_F(Legends, SayWhichStepsAreShownAsOne) {
  LegendInput in = at(8.5);
  in.merge = 4.0;
  const Legend l = legend(in);
  EXPECT_EQ("positions 13 to 16, the last \"t16\"", l.who);
  EXPECT_TRUE(says(l, "of the climb before"));
}

TEST_F(Legends, SayThatAPromptGoesOn) {
  builder_.go_on(10, 5);
  builder_.step(3);
  reader_.poll();
  EXPECT_EQ("the prompt goes on, 3 tokens", legend(at(5.5)).who);
}

TEST_F(Legends, SayWhichTokenOfAPromptIsShown) {
  constexpr const char* kLast = "6 tokens at once: heads, FFN and spine are those of the last one";
  EXPECT_TRUE(says(legend(at(0.5)), kLast));
  EXPECT_FALSE(says(legend(at(1.5)), "at once"));
}

TEST_F(Legends, SayWhatIsSwitchedOffAndWhatHasAGain) {
  LegendInput in = at(4.5);
  in.channels.on[shaders::kChannelKv] = false;
  in.channels.gain[shaders::kChannelFfn] = 2.5F;
  in.channels.gain[shaders::kChannelDrain] = 0.0F;
  const Legend l = legend(in);
  for (const LegendRow& row : l.rows) {
    EXPECT_EQ(row.channel != shaders::kChannelKv && row.channel != shaders::kChannelDrain, row.on);
    EXPECT_EQ(in.channels.gain[row.channel], row.gain);
  }
  EXPECT_FALSE(says(l, "gain of")) << l.now;
}

TEST_F(Legends, SayWhatIsDecorationTheDrainTheRestAndThePalette) {
  LegendInput in = at(4.5);
  in.palette = scene::PaletteName::kViridis;
  const Legend l = legend(in);
  for (const char* what :
       {"decoration: ", "dotted", "beaded", "hollow", "palette viridis", "the strongest bolts"})
    EXPECT_TRUE(says(l, what)) << what;
  in.telling.show_all = true;
  in.reduced_motion = true;
  EXPECT_TRUE(says(legend(in), "all reads and neurons that are listed; reduced motion"));
}

TEST_F(Legends, SayHowManyStepsAreShownAsOne) {
  LegendInput in = at(8.5);
  EXPECT_FALSE(says(legend(in), "shown as one"));
  in.merge = 4.0;
  EXPECT_TRUE(says(legend(in), "4 steps shown as one"));
}

TEST_F(Legends, OfAnOldTraceClaimNothingAboutTheModel) {
  EXPECT_FALSE(says(legend(at(4.5)), "silu"));
  EXPECT_FALSE(says(legend(at(4.5)), "norm"));
}

TEST_F(Legends, SayWhenThereIsNothingToSay) {
  trace::Log log;
  tests::TraceBuilder bare(log, model_);
  bare.describe();
  bare.start();
  trace::Reader reader(log);
  reader.poll();
  EXPECT_TRUE(says(scene::legend({reader, layout_}), "nothing yet"));
  bare.token("x");
  trace::append(log, trace::Topic::kStep, trace::StepRecord{0, 0, 1, 0});
  reader.poll();
  const Legend l = scene::legend({reader, layout_, 0.5});
  EXPECT_TRUE(says(l, "this step's detail is not there"));
  for (const LegendRow& row : l.rows) EXPECT_TRUE(row.scale.empty());
}

TEST_F(Legends, SayWhatTheColoursOfCellsAreWhereTensorsAreInSight) {
  LegendInput in = at(4.5);
  EXPECT_FALSE(says(legend(in), "cells of tensors"));
  in.sheets = true;
  for (size_t i = 0; i < scene::kPaletteCount; ++i) {
    for (const scene::Theme theme : {scene::Theme::kDark, scene::Theme::kLight}) {
      in.palette = static_cast<scene::PaletteName>(i);
      in.theme = theme;
      const std::string colours(scene::palette(theme, in.palette).cells.words);
      EXPECT_TRUE(says(legend(in), "cells of tensors: " + colours)) << colours;
    }
  }
}

TEST_F(Legends, SayWhoseScalesTheyAreWhereSeveralModelsMove) {
  constexpr const char* kWhose = "these are the first one's";
  EXPECT_FALSE(says(legend(at(4.5)), kWhose));
  for (const bool all_move : {false, true}) {
    scene::LayoutOptions options;
    options.all_move = all_move;
    const scene::Layout two({layout_.subject(0), layout_.subject(0)}, options);
    EXPECT_EQ(all_move, says(scene::legend({reader_, two, 4.5}), kWhose));
  }
}

class LegendsOfGemma2 : public Legends {
 protected:
  LegendsOfGemma2()
      : Legends(trace::kStructureGelu | trace::kStructurePostNorms | trace::kStructureGated) {}
};
TEST_F(LegendsOfGemma2, SayThatTheNormComesAfterTheSum) {
  EXPECT_TRUE(says(legend(at(4.5)), "act = gelu(gate) * up"));
  EXPECT_TRUE(says(legend(at(4.5)), "behind the gain of the norm after the sum"));
}

class LegendsOfPhi2 : public Legends {
 protected:
  LegendsOfPhi2() : Legends(trace::kStructureGelu | trace::kStructureParallel) {}
};
TEST_F(LegendsOfPhi2, SayThatBothReadTheSameX) {
  EXPECT_TRUE(says(legend(at(4.5)), "act = gelu(up); attention and FFN read the same x"));
}

class LegendsOfMixtral : public Legends {
 protected:
  LegendsOfMixtral() : Legends(trace::kStructureSilu | trace::kStructureGated, true) {}
};
TEST_F(LegendsOfMixtral, SayWhatTheBoltsOfExpertsAre) {
  LegendInput in = at(4.5);
  EXPECT_TRUE(says(legend(in), "router's probability of an expert into it"));
  EXPECT_FALSE(says(legend(in), "into a neuron"));
  in.telling.show_all = true;
  EXPECT_TRUE(says(legend(in), "into a neuron"));
}
TEST_F(LegendsOfMixtral, SayThatARouterChose) {
  EXPECT_TRUE(says(legend(at(4.5)), "act = silu(gate) * up; of the experts that the router chose"));
}

}  // namespace
