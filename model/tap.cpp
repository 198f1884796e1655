#include "model/tap.h"

#include <array>
#include <charconv>

namespace model {

namespace {

constexpr std::array<TapInfo, kTapCount> kTaps = {{
    {Tap::kEmbedding, "embd", false, "x = E[token]"},
    {Tap::kResidPre, "resid.pre", true, "x before attention"},
    {Tap::kAttnNorm, "attn.norm", true, "n = norm(x)"},
    {Tap::kQ, "attn.q", true, "q = rope(W_q n)"},
    {Tap::kK, "attn.k", true, "k = rope(W_k n)"},
    {Tap::kV, "attn.v", true, "v = W_v n"},
    {Tap::kScores, "attn.scores", true, "s_j = q . k_j / sqrt(D)"},
    {Tap::kWeights, "attn.weights", true, "a = softmax(s)"},
    {Tap::kMix, "attn.z", true, "z = sum_j a_j v_j"},
    {Tap::kHeadOut, "attn.head_out", true, "o_h = W_O,h z_h"},
    {Tap::kHeadBack, "attn.head_back", true, "W_O,h^T o_h"},
    {Tap::kHeadEnergy, "attn.head_energy", true, "|o_h|^2"},
    {Tap::kHeadShare, "attn.head_share", true, "<o_h, da> / |da|^2"},
    {Tap::kAttnBiasShare, "attn.bias_share", true, "<b, da> / |da|^2"},
    {Tap::kAttnOut, "attn.out", true, "da = sum_h o_h"},
    {Tap::kResidMid, "resid.mid", true, "x + da"},
    {Tap::kFfnNorm, "ffn.norm", true, "m = norm(x)"},
    {Tap::kRouter, "router", true, "p = softmax(W_router m)"},
    {Tap::kExperts, "experts", true, "expert, its weight, <p_e FFN_e, df> / |df|^2"},
    {Tap::kGate, "ffn.gate", true, "W_gate m"},
    {Tap::kUp, "ffn.up", true, "W_up m"},
    {Tap::kAct, "ffn.act", true, "act = f(W_gate m) * (W_up m)"},
    {Tap::kNeuronShare, "ffn.neuron_share", true, "act_n <w_n, df> / |df|^2"},
    {Tap::kCellShare, "ffn.cell_share", true, "sum over 32 neurons of act_n <w_n, df> / |df|^2"},
    {Tap::kChosenShare, "ffn.top_share", true, "neuron, act_n <w_n, df> / |df|^2"},
    {Tap::kFfnBiasShare, "ffn.bias_share", true, "<b, df> / |df|^2"},
    {Tap::kFfnOut, "ffn.out", true, "df = W_down act"},
    {Tap::kResidPost, "resid.post", true, "x + da + df"},
    {Tap::kNorm, "norm", false, "norm(x)"},
    {Tap::kLogits, "logits", false, "W_U norm"},
}};

}  // namespace

const TapInfo& tap_info(Tap tap) noexcept {
  return kTaps[static_cast<size_t>(tap)];
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
