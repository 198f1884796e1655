#include "model/tap.h"

#include <array>
#include <charconv>
#include <cmath>

#include "model/utf8.h"

namespace model {

namespace {

constexpr std::array<TapInfo, kTapCount> kTaps = {{
    {Tap::kEmbedding, "embd", false, false, "x = E[token]"},
    {Tap::kResidPre, "resid.pre", true, false, "x before attention"},
    {Tap::kAttnNorm, "attn.norm", true, false, "n = norm(x)"},
    {Tap::kQ, "attn.q", true, true, "q = rope(W_q n)"},
    {Tap::kK, "attn.k", true, true, "k = rope(W_k n)"},
    {Tap::kV, "attn.v", true, true, "v = W_v n"},
    {Tap::kScores, "attn.scores", true, true, "s_j = q . k_j / sqrt(D)"},
    {Tap::kWeights, "attn.weights", true, true, "a = softmax(s)"},
    {Tap::kMix, "attn.z", true, true, "z = sum_j a_j v_j"},
    {Tap::kHeadOut, "attn.head_out", true, true, "o_h = W_O,h z_h"},
    {Tap::kHeadBack, "attn.head_back", true, true, "W_O,h^T o_h"},
    {Tap::kHeadEnergy, "attn.head_energy", true, false, "|o_h|^2"},
    {Tap::kHeadShare, "attn.head_share", true, false, "<o_h, da> / |da|^2"},
    {Tap::kAttnBiasShare, "attn.bias_share", true, false, "<b, da> / |da|^2"},
    {Tap::kAttnOut, "attn.out", true, false, "da = sum_h o_h"},
    {Tap::kResidMid, "resid.mid", true, false, "x + da"},
    {Tap::kFfnNorm, "ffn.norm", true, false, "m = norm(x)"},
    {Tap::kRouter, "router", true, false, "p = softmax(W_router m)"},
    {Tap::kExperts, "experts", true, true, "expert, its weight, <G_e FFN_e, df> / |df|^2"},
    {Tap::kGate, "ffn.gate", true, false, "W_gate m"},
    {Tap::kUp, "ffn.up", true, false, "W_up m"},
    {Tap::kAct, "ffn.act", true, false, "act = f(W_gate m) * (W_up m), as W_down reads it"},
    {Tap::kNeuronShare, "ffn.neuron_share", true, false, "act_n <w_n, df> / |df|^2"},
    {Tap::kCellShare, "ffn.cell_share", true, false,
     "sum over 32 neurons of act_n <w_n, df> / |df|^2"},
    {Tap::kChosenShare, "ffn.top_share", true, true,
     "neuron, act_n <w_n, df> / |df|^2; the most active"},
    {Tap::kFfnBiasShare, "ffn.bias_share", true, false, "<b, df> / |df|^2"},
    {Tap::kFfnOut, "ffn.out", true, false, "df = W_down act"},
    {Tap::kResidPost, "resid.post", true, false, "x + da + df"},
    {Tap::kNorm, "norm", false, false, "norm(x)"},
    {Tap::kLogits, "logits", false, false, "W_U norm(x)"},
}};

}  // namespace

const TapInfo& tap_info(Tap tap) noexcept {
  return kTaps[static_cast<size_t>(tap)];
}

namespace {

std::string nth(int64_t n) {
  return std::to_string(n) + (n == 2 ? "nd" : n == 3 ? "rd" : "th");
}

std::string formula_of(Tap tap, const Config& c) {
  const std::string usual(tap_info(tap).formula);
  const bool biased_heads = c.heads_biased();
  const auto turned = [&](const std::string& name) {
    std::string x = "W_" + name + " n" + (biased_heads ? " + b" : "");
    if (c.qk_norm == QkNorm::kRotatedHead) return name + " = norm(rope(" + x + "))";
    if (c.qk_norm != QkNorm::kNone) x = "norm(" + x + ")";
    if (c.rope == RopeKind::kNone) return name + " = " + x;
    return name + " = rope(" + x + ")" +
           (c.rope_period > 0 ? ", without rope in every " + nth(c.rope_period) + " layer" : "");
  };
  // Before the norm or the scale that the update goes through, whose factor cancels.
  const auto behind_gain = [&](const std::string& formula, const std::string& plain = {}) {
    return c.post_norms             ? formula + ", g: the gain of the norm behind the sum y"
           : c.update_scale != 1.0F ? formula + ", g = 1, y: the sum before its scale"
           : plain.empty()          ? usual
                                    : plain;
  };
  const auto update = [&](const std::string& name, const std::string& sum) {
    const std::string scale = c.update_scale != 1.0F ? digits_of(double{c.update_scale}) + " " : "";
    return c.post_norms    ? name + " = " + scale + "norm(y), y = " + sum
           : scale.empty() ? name + " = " + sum
                           : name + " = " + scale + "y, y = " + sum;
  };
  switch (tap) {
    case Tap::kEmbedding:
      return c.learned_positions ? "x = E[token] + P[position]"
             : c.embedding_scale == std::sqrt(static_cast<float>(c.n_embd)) ? "x = sqrt(C) E[token]"
             : c.embedding_scale != 1.0F
                 ? "x = " + digits_of(double{c.embedding_scale}) + " E[token]"
                 : usual;
    case Tap::kAttnNorm:
      return c.pre_norms ? usual : "n = x";
    case Tap::kQ:
      if (c.latent())
        return std::string("q = W_UK,h^T W_UQ,h ") + (c.query_rank > 0 ? "norm(W_DQ n)" : "n") +
               " beside rope of the last rows of W_UQ,h";
      if (c.temperature_scale == 0.0F) return turned("q");
      return turned("q") + " (1 + " + digits_of(double{c.temperature_scale}) +
             " ln(1 + floor(position / " + std::to_string(c.temperature_length) + ")))";
    case Tap::kK:
      if (c.latent()) return "k = c beside rope of the last rows of W_DKV n, c = norm of its first";
      return turned("k");
    case Tap::kV:
      if (c.latent()) return "c, the beginning of k; a head's value is W_UV,h c";
      return biased_heads ? "v = W_v n + b" : usual;
    case Tap::kScores: {
      std::string s =
          c.root_scale() ? "q . k_j / sqrt(D)" : "q . k_j " + digits_of(double{c.attention_scale});
      if (c.score_soft_cap > 0.0F) s = "cap(" + s + ")";
      return "s_j = " + s + (c.window > 0 ? "; 0 outside of a window" : "");
    }
    case Tap::kWeights:
      return (c.sinks ? "a_j = e^s_j / (e^sink + sum_i e^s_i)" : usual) +
             (c.window > 0 ? " within the window, 0 outside" : "");
    case Tap::kMix:
      return c.latent() ? "z = W_UV,h sum_j a_j c_j" : usual;
    case Tap::kRouter:
      return std::string("p = ") + (c.router == RouterKind::kSigmoid ? "sigmoid" : "softmax") +
             (c.router_biased() ? "(W_router m + b)" : "(W_router m)") +
             (c.choice_biased || c.expert_groups > 1 ? ", chosen" : "") +
             (c.choice_biased ? " by p + b" : "") +
             (c.expert_groups > 1 ? " in the best groups" : "");
    case Tap::kHeadBack:
      if (c.latent()) return behind_gain("W_UV,h^T W_O,h^T g^2 o_h", "W_UV,h^T W_O,h^T o_h");
      return behind_gain("W_O,h^T g^2 o_h");
    case Tap::kHeadEnergy:
      return behind_gain("|g o_h|^2");
    case Tap::kHeadShare:
      return behind_gain("<g o_h, g y> / |g y|^2");
    case Tap::kAttnBiasShare:
      if (!c.attention_biased()) return "0: without biases";
      return behind_gain("<g b, g y> / |g y|^2");
    case Tap::kAttnOut:
      return update("da", c.attention_biased() ? "sum_h o_h + b" : "sum_h o_h");
    case Tap::kFfnNorm:
      if (!c.pre_norms) return "m = x";
      return !c.parallel ? usual : c.shared_norm ? "m = n" : "m = norm(x) of x before attention";
    case Tap::kGate:
      return c.ffn_biased() ? "W_gate m + b" : usual;
    case Tap::kUp:
      return c.ffn_biased() ? "W_up m + b" : usual;
    case Tap::kAct:
      if (c.ffn == FfnKind::kClampedSwiglu)
        return "act = g sigmoid(1.702 g) (u + 1), g = min(gate, 7), u = up within -7..7, as W_down "
               "reads it";
      if (c.gated() && !c.ffn_biased()) return usual;
      return (c.gated()        ? "act = f(W_gate m + b) * (W_up m + b)"
              : c.ffn_biased() ? "act = f(W_up m + b)"
                               : "act = f(W_up m)") +
             std::string(", as W_down reads it");
    case Tap::kNeuronShare:
      if (c.n_expert > 0)
        return behind_gain("G_e act_n <g w_n, g y> / |g y|^2, G_e: its expert's weight",
                           "G_e act_n <w_n, df> / |df|^2, G_e: its expert's weight");
      return behind_gain("act_n <g w_n, g y> / |g y|^2");
    case Tap::kCellShare:
      if (c.n_expert > 0)
        return behind_gain("sum over 32 neurons of G_e act_n <g w_n, g y> / |g y|^2",
                           "sum over 32 neurons of G_e act_n <w_n, df> / |df|^2");
      return behind_gain("sum over 32 neurons of act_n <g w_n, g y> / |g y|^2");
    case Tap::kChosenShare:
      if (c.n_expert > 0)
        return behind_gain("neuron, G_e act_n <g w_n, g y> / |g y|^2; of largest |G_e act|",
                           "neuron, G_e act_n <w_n, df> / |df|^2; of largest |G_e act|");
      return behind_gain("neuron, act_n <g w_n, g y> / |g y|^2; the most active");
    case Tap::kExperts:
      return behind_gain("expert, its weight, <g G_e FFN_e, g y> / |g y|^2");
    case Tap::kFfnBiasShare:
      if (!c.ffn_biased()) return "0: without biases";
      if (c.n_expert == 0) return behind_gain("<g b, g y> / |g y|^2");
      return behind_gain("sum_e G_e <g b_e, g y> / |g y|^2", "sum_e G_e <b_e, df> / |df|^2");
    case Tap::kFfnOut:
      return update("df", c.n_expert > 0   ? "sum_e G_e FFN_e(m)"
                          : c.ffn_biased() ? "W_down act + b"
                                           : "W_down act");
    case Tap::kLogits:
      if (c.logit_scale != 1.0F) return digits_of(double{c.logit_scale}) + " W_U norm(x)";
      if (c.head_biased) return "W_U norm(x) + b";
      return c.final_soft_cap > 0.0F ? "cap(W_U norm(x))" : usual;
    default:
      return usual;
  }
}

}  // namespace

std::string tap_formula(const TapPlace& place, const Config& of_model) {
  Config c = of_model;
  if (!c.mixed(place.layer)) c.n_expert = 0;
  const bool some_run = c.n_expert > 0 && of_neurons(place.tap);
  return formula_of(place.tap, c) + (some_run ? "; 0 where the expert did not run" : "");
}

std::string tap_name(Tap tap, int64_t layer) {
  const TapInfo& info = tap_info(tap);
  if (!info.per_layer) return std::string(info.name);
  return "blk." + std::to_string(layer) + "." + std::string(info.name);
}

std::optional<TapPlace> find_tap(std::string_view name, int64_t n_layer) {
  int64_t layer = -1;
  if (name.starts_with("blk.")) {
    const char* begin = name.data() + 4;
    const char* end = name.data() + name.size();
    const auto [at, failed] = std::from_chars(begin, end, layer);
    if (failed != std::errc{} || at == end || *at != '.' || layer < 0 || layer >= n_layer)
      return {};
    name = name.substr(static_cast<size_t>(at + 1 - name.data()));
  }
  // Names that people know from elsewhere.
  if (name == "attn_out" || name == "attn.attn_out") name = "attn.out";
  if (name == "ffn.router" || name == "ffn_router") name = "router";
  for (const TapInfo& info : kTaps) {
    if (info.name == name && info.per_layer == (layer >= 0)) {
      return TapPlace{info.tap, info.per_layer ? layer : 0};
    }
  }
  return {};
}

}  // namespace model
