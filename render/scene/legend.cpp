#include "render/scene/legend.h"

#include <algorithm>
#include <cstdio>

#include "render/scene/dependency.h"
#include "render/scene/muted.h"
#include "render/scene/numbers.h"
#include "render/scene/text.h"

namespace scene {

namespace {

using trace::Measure;

std::string number(double value) {
  char text[24];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

// Two digits: a line that is read, not a counter that runs.
std::string two_digits(uint32_t value) {
  uint32_t unit = 1;
  while (value / unit >= 100) unit *= 10;
  return std::to_string((value + unit / 2) / unit * unit);
}

const trace::Position* shown(const LegendInput& in) {
  if (in.reader.steps() == 0) return nullptr;
  const Moment now = moment_of(in.playhead, in.merge, in.reader.steps());
  const trace::StepRecord& step = in.reader.step(now.last);
  return &in.reader.position(step.last_position());
}

constexpr float kShortestPhase = Clock::kFfn - Clock::kWrite;  // of a layer

class Writer {
 public:
  explicit Writer(const LegendInput& in)
      : in_(in),
        m_(in.layout.model()),
        clock_(m_.layers),
        at_(shown(in)),
        now_(moment_of(in.playhead, in.merge, in.reader.steps())) {
    operation_ = clock_.operation(clock_.operation_at(now_.share));
    layer_ = std::min(operation_.layer, m_.layers - 1);
  }

  Legend write() {
    row(shaders::kChannelResidual, "|da|/|x|, |df|/|x|", full(Measure::kUpdate), "1, entering");
    row(shaders::kChannelAttention, "head: <o_h,da>/|da|\u00b2", full(Measure::kHeadShare),
        "<o_h,da>/|da|\u00b2 from a head, a_j<W v_j,o_h>/|o_h|\u00b2 into it");
    const bool shared = in_.layout.positions_per_column() > 1;
    row(shaders::kChannelKv,
        shared ? "slot: sum of its positions' mean a_j" : "slot: mean a_j read from it",
        full(Measure::kKvRead),
        prompt() ? "each token's largest read of an earlier one, of da" : "");
    row(shaders::kChannelFfn, m_.buckets == m_.neurons ? "cell: |act|" : "cell: rms of act",
        full(Measure::kActivation),
        (mixture() ? "router's probability of an expert into it, <G_e FFN_e,df>/|df|\u00b2 from it"
                   : "") +
            std::string(mixture() && !in_.telling.show_all ? ""
                        : mixture()                        ? "; "
                                                           : "") +
            (mixture() && !in_.telling.show_all
                 ? ""
                 : "act\u00b2/|act|\u00b2 into a neuron, " + std::string(mixture() ? "G_e " : "") +
                       "act<w_n,df>/|df|\u00b2 from it"));
    row(shaders::kChannelCrown, "bar: softmax probability" + whose_bars(), "", "the same");
    row(shaders::kChannelTape, "a token is there", "", "probability of the drawn one");
    row(shaders::kChannelRest, "what is not drawn one by one, dotted", "",
        "the sum less the drawn");
    row(shaders::kChannelDrain, "first position with most of a head, beaded", "", "as a read");
    now();
    std::string widths = "bolt width: root of |share| up to 1, hollow when against the sum. ";
    for (const LegendRow& row : legend_.rows) {
      const bool own = row.channel == shaders::kChannelAttention ||
                       row.channel == shaders::kChannelKv || row.channel == shaders::kChannelFfn;
      if (own && row.on && !row.bolts.empty()) widths += row.bolts + "; ";
    }
    widths.resize(widths.find_last_not_of("; ") + 1);
    mean(widths);
    std::string layer;
    if (is(trace::kStructureSilu) || is(trace::kStructureGelu) ||
        is(trace::kStructureClampedSwiglu)) {
      layer = activation_formula(in_.layout.structure());
    }
    if (is(trace::kStructurePostNorms))
      layer += "; da, df and o_h behind the gain of the norm after the sum";
    if (is(trace::kStructureScaledUpdates)) layer += "; shares: of da and df before their scale";
    if (is(trace::kStructureParallel)) layer += "; attention and FFN read the same x";
    if (mixture()) {
      layer += "; of the experts that the router chose, each weighed by G_e, " +
               weight_formula(in_.layout.structure());
    }
    if (layer.starts_with("; ")) layer.erase(0, 2);
    if (!layer.empty()) mean(layer);
    mean(
        "x: residual stream; da, df: what attention and FFN add to it; o_h: what head h does; a_j: "
        "attention weight; w_n: column of neuron n; full at the 99th percentile so far");
    if (const std::string parts = list_of(in_.layout, in_.reader.muted()); !parts.empty())
      legend_.without = "runs without " + parts;
    if (const std::string how = sampling(); !how.empty()) note(how);
    if (prompt()) {
      const uint32_t count = in_.reader.step(now_.last).count;
      const uint32_t apart = columns_apart(count, m_.layers);
      note(std::to_string(count) +
           " tokens at once: heads, FFN and spine are those of the last one" +
           (apart > 1 ? "; reads of one column in " + std::to_string(apart) : ""));
    }
    if (in_.sheets) {
      mean("cells of tensors: " + std::string(palette(in_.theme, in_.palette).cells.words) +
           ", by the root of value / full colour, which stands beside each tensor");
    }
    if (in_.lens && in_.reader.steps() > 0 && in_.layout.subjects() == 1) {
      const std::string own = in_.theme == Theme::kLight ? "black" : "white";
      const std::string scale_of_logits = is(trace::kStructureScaledLogits) ? "scale " : "";
      note(at_ == nullptr || at_->lens.record == nullptr
               ? "of this step there are no readings behind the layers"
               : "words at the storeys: what softmax(" + scale_of_logits +
                     "W_U norm(x) / T) finds most probable behind that layer, " + own +
                     " what is drawn (logit lens)");
    }
    if (in_.layout.subjects() > 1 && in_.layout.options().all_move)
      note("every model is measured against its own scales; these are the first one's");
    if (is(trace::kStructureSynthetic)) note("no model ran: these numbers are invented");
    mean("decoration: paths, forks, fading, flicker, the lead of a prompt's older columns");
    std::string how = "palette " + std::string(palette_names()[static_cast<size_t>(in_.palette)]);
    how +=
        in_.telling.show_all ? "; all reads and neurons that are listed" : "; the strongest bolts";
    if (in_.reduced_motion) how += "; reduced motion";
    note(how);
    if (in_.telling.show_all && too_many())
      note("too many are listed: the weakest are in the rest");
    if (in_.bolts_drawn < in_.bolts_lit) {
      note("to keep up, about " + two_digits(in_.bolts_drawn) + " of " + two_digits(in_.bolts_lit) +
           " bolts are drawn, the strongest; all when it stands still");
    }
    if (in_.merge > 1.0 && in_.reader.steps() > 0) {
      const auto n = now_.last - now_.first + 1;
      if (n > 1) {
        note("faster than the eye: " + std::to_string(n) +
             " steps shown as one: the strongest of each light, the bolts and bars of the newest");
      }
    }
    if (in_.reader.dropped()) note(let_go());
    if (at_ != nullptr && at_->attention.record == nullptr) note("this step's detail is not there");
    return std::move(legend_);
  }

 private:
  // Of steps that were complete, with their detail.
  std::string let_go() const {
    const size_t steps = in_.reader.steps();
    const trace::StartRecord* start = steps > 0 ? in_.reader.start(steps - 1) : nullptr;
    uint32_t measured = 0;
    if (start != nullptr && start->level != trace::Level::kOff) {
      const trace::StepRecord& last = in_.reader.step(steps - 1);
      measured = last.first_position + last.count;
    }
    uint32_t gone = 0;
    while (gone < measured && in_.reader.position(gone).residual.record == nullptr) ++gone;
    return "memory is full: the detail of " +
           (gone > 1    ? "the first " + counted(gone, "position")
            : gone == 1 ? "the first position"
                        : "what came before") +
           " was let go";
  }
  bool prompt() const { return in_.reader.steps() > 0 && in_.reader.step(now_.last).count > 1; }
  bool is(uint32_t flag) const { return (in_.layout.structure().flags & flag) != 0; }
  bool mixture() const { return in_.layout.structure().experts > 0; }

  void row(uint32_t channel, std::string measure, std::string scale, std::string bolts) {
    legend_.rows.push_back({channel, in_.channels.effective(channel) > 0.0F,
                            in_.channels.gain[channel], std::move(measure), std::move(scale),
                            std::move(bolts)});
  }
  void note(std::string text) { legend_.notes.push_back(std::move(text)); }
  void mean(std::string text) { legend_.meanings.push_back(std::move(text)); }

  // What the layer in flight is measured against; between them, all layers.
  std::string full(Measure measure) const {
    if (at_ == nullptr || at_->scale.record == nullptr) return {};
    if (in_layer() && time_for(kShortestPhase))
      return "full at " + number(double{at_->scale.of(layer_, measure)});
    float low = at_->scale.of(0, measure);
    float high = low;
    for (uint32_t l = 1; l < m_.layers; ++l) {
      low = std::min(low, at_->scale.of(l, measure));
      high = std::max(high, at_->scale.of(l, measure));
    }
    const std::string to = number(double{high});
    return "full at " + (number(double{low}) == to ? to : number(double{low}) + " to " + to);
  }

  // Whether what lasts so much of a layer can be read.
  bool time_for(float part) const {
    constexpr double kReading = 0.2;  // s
    return in_.pace * kReading <= double{part * clock_.layer_span()} * in_.merge;
  }

  bool in_layer() const {
    return operation_.phase == Phase::kRead || operation_.phase == Phase::kWrite ||
           operation_.phase == Phase::kFfn;
  }

  bool merged() const { return now_.last > now_.first; }

  // Until the crown is reached, what stands there is older.
  std::string whose_bars() const {
    if (at_ == nullptr) return {};
    const std::optional<uint64_t> step = crown_of(now_);
    if (!step || *step == now_.last) return {};
    return merged() ? ", of the climb before" : ", of the step before";
  }

  // How the next token is drawn from the bars; empty: the trace does not say.
  std::string sampling() const {
    const trace::StartRecord* s = at_ == nullptr ? nullptr : in_.reader.start(now_.last);
    if (s == nullptr || is(trace::kStructureSynthetic)) return {};
    const trace::PenaltiesRecord* p = in_.reader.penalties(now_.last);
    const bool penalties =
        p != nullptr && (p->repeat != 1.0F || p->frequency != 0.0F || p->presence != 0.0F);
    const std::string after = penalties ? ", after penalties that the bars are without" : "";
    if (s->temperature <= 0.0F) return "bars: softmax(logits); the likeliest is taken" + after;
    std::string how = "bars: softmax(logits";
    how += s->temperature == 1.0F ? ")" : " / " + number(double{s->temperature}) + ")";
    how += "; one is drawn";
    if (s->top_k > 0) how += ", of the top-k " + std::to_string(s->top_k);
    if (s->top_p < 1.0F) how += ", top-p " + number(double{s->top_p});
    if (p != nullptr && p->min_p > 0.0F) how += ", min-p " + number(double{p->min_p});
    return how + after;
  }

  // Whose step is in flight.
  std::string who() const {
    const trace::StepRecord& step = in_.reader.step(now_.last);
    const uint32_t last = step.last_position();
    if (step.count > 1) {
      return (step.first_position > 0 ? "the prompt goes on, " : "the prompt, ") +
             std::to_string(step.count) + " tokens";
    }
    const std::string text = "\"" + visible_text(at_->token.text) + "\"";
    if (!merged()) return "position " + std::to_string(last) + ", " + text;
    const uint32_t first = in_.reader.step(now_.first).first_position;
    return "positions " + std::to_string(first) + " to " + std::to_string(last) + ", the last " +
           text;
  }

  void now() {
    if (at_ == nullptr) {
      legend_.now = "nothing yet";
      return;
    }
    if (!time_for(1.0F)) {
      legend_.now = "climbing " + counted(m_.layers, "layer");
    } else if (!in_layer()) {
      legend_.now = phase_name(operation_.phase);
    } else {
      legend_.now = "layer " + std::to_string(layer_);
      if (time_for(kShortestPhase)) legend_.now += std::string(": ") + phase_name(operation_.phase);
    }
    legend_.who = who();
  }

  bool too_many() const {
    if (at_ == nullptr) return false;
    const uint32_t each = std::max(kMostBolts / (m_.layers * m_.heads), 16U);
    const uint32_t neurons = std::max(kMostBolts / m_.layers, 16U);
    return (at_->attention.record != nullptr && at_->attention.record->reads > each) ||
           (at_->ffn.record != nullptr && at_->ffn.record->top > neurons);
  }

  const LegendInput& in_;
  const trace::ModelRecord& m_;
  Clock clock_;
  const trace::Position* at_;
  Moment now_;
  Operation operation_;
  uint32_t layer_ = 0;
  Legend legend_;
};

}  // namespace

Legend legend(const LegendInput& input) {
  return Writer(input).write();
}

}  // namespace scene
