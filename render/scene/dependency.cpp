#include "render/scene/dependency.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace scene {

namespace {

// The residual stream is at an element's top what was added there; what enters a layer is what left
// the layer below.
constexpr std::array kAttentionUpdate = {Input{Kind::kHead, Reach::kSameLayer},
                                         Input{Kind::kSpineFfn, Reach::kLayerBelow}};
constexpr std::array kFfnUpdate = {Input{Kind::kCell, Reach::kSameLayer},
                                   Input{Kind::kRouter, Reach::kSameLayer},
                                   Input{Kind::kSpineAttention, Reach::kSameLayer}};
constexpr std::array kHead = {Input{Kind::kSlot, Reach::kOwnLane},
                              Input{Kind::kSpineFfn, Reach::kLayerBelow}};
constexpr std::array kSlot = {Input{Kind::kTape, Reach::kOwnColumn},
                              Input{Kind::kSpineFfn, Reach::kLayerBelow}};
constexpr std::array kCell = {Input{Kind::kSpineAttention, Reach::kSameLayer}};
constexpr std::array kRouter = {Input{Kind::kSpineAttention, Reach::kSameLayer}};
constexpr std::array kCandidate = {Input{Kind::kSpineFfn, Reach::kLastLayer}};
constexpr std::array kRest = {Input{Kind::kCandidate, Reach::kAll}};
constexpr std::array kTape = {Input{Kind::kCandidate, Reach::kDrawn}};

constexpr std::array kTable = {
    Dependency{Kind::kSpineAttention, "the heads of this layer, and the residual stream below",
               kAttentionUpdate},
    Dependency{Kind::kSpineFfn, "the neurons of this layer, and the residual stream between",
               kFfnUpdate},
    Dependency{Kind::kHead, "the keys and values that it reads, and the residual stream below",
               kHead},
    Dependency{Kind::kSlot, "its token, through the residual stream of its position", kSlot},
    Dependency{Kind::kCell, "the residual stream that the FFN reads", kCell},
    Dependency{Kind::kRouter, "the residual stream that the FFN reads", kRouter},
    Dependency{Kind::kCandidate, "the top of the residual stream", kCandidate},
    Dependency{Kind::kRestCandidate, "the candidates", kRest},
    Dependency{Kind::kTape, "the prompt, or the candidate that was drawn before", kTape},
};

std::string clamped_swiglu(const std::string& gate, const std::string& up) {
  return "g sigmoid(1.702 g) (u + 1), g = min(" + gate + ", 7), u = " + up + " within -7..7";
}

// The formulas of one model's block.
class Formulas {
 public:
  explicit Formulas(const trace::StructureRecord& structure, bool latent = false)
      : structure_(structure),
        latent_(latent),
        bias_(is(trace::kStructureBiases) ? " + b" : ""),
        ffn_bias_(is(trace::kStructureFfnBiases) ? " + b" : ""),
        head_bias_(is(trace::kStructureHeadBiases) ? " + b" : ""),
        read_by_ffn_(is(trace::kStructureParallel) ? "x" : "x_mid") {}

  std::string of(Kind kind) const {
    switch (kind) {
      case Kind::kSpineAttention:
        return "x_mid = x + " + update("sum_h W_O,h z_h" + bias_);
      case Kind::kSpineFfn:
        return "x_out = x_mid + " +
               update((structure_.experts > 0 ? std::string("sum_e G_e FFN_e, each sum_n act_n w_n")
                                              : "sum_n act_n w_n") +
                      ffn_bias_);
      case Kind::kHead:
        if (latent_) {
          return "z_h = sum_j a_j v_j = W_UV,h sum_j a_j c_j, " + weights() +
                 ", q = W_UK,h^T W_UQ,h n and a rotated part, n = " + read("x") +
                 " or what few values W_DQ makes of it";
        }
        return "z_h = sum_j a_j v_j, " + weights() + ", q = " +
               (is(trace::kStructureTempered) ? "(1 + scale ln(1 + floor(position / original))) "
                                              : "") +
               turned("W_q", "x");
      case Kind::kSlot:
        if (latent_) {
          return "k_j = c_j and a rotated part, c_j = norm(W_DKV " + read("x_j") +
                 "), for all heads; v_j = W_UV,h c_j";
        }
        return "k_j = " + turned("W_k", "x_j") + ", v_j = W_v " + read("x_j") + head_bias_;
      case Kind::kCell:
        return "act = " + activation();
      case Kind::kRouter:
        return "p_e = " + router() + ", " + weight_formula(structure_);
      case Kind::kCandidate:
        return "p = softmax(" + logits() + " / temperature)";
      case Kind::kRestCandidate:
        return "1 - sum of the bars";
      case Kind::kTape:
        return std::string("x_0 = ") + (is(trace::kStructureScaledEmbedding) ? "scale * " : "") +
               "the embedding of the token" +
               (is(trace::kStructurePositions) ? " + that of its position" : "");
      default:
        return "";
    }
  }

  std::string router() const {
    return std::string(is(trace::kStructureSigmoidRouter) ? "sigmoid" : "softmax") + "(W_router " +
           read(read_by_ffn_) + (is(trace::kStructureRouterBias) ? " + b" : "") + ")_e";
  }

 private:
  bool is(uint32_t flag) const { return (structure_.flags & flag) != 0; }

  std::string update(const std::string& sum) const {
    const std::string scale = is(trace::kStructureScaledUpdates) ? "scale " : "";
    if (is(trace::kStructurePostNorms)) return scale + "norm(" + sum + ")";
    return scale.empty() ? sum : scale + "(" + sum + ")";
  }

  // What a matrix reads of the residual stream.
  std::string read(const std::string& x) const {
    return is(trace::kStructureBareReads) ? x : "norm(" + x + ")";
  }

  std::string logits() const {
    const bool biased = is(trace::kStructureOutputBias);
    if (is(trace::kStructureScaledLogits)) return "scale W_U norm(x_L)";
    if (is(trace::kStructureLogitCap))
      return biased ? "cap(W_U norm(x_L) + b)" : "cap(W_U norm(x_L))";
    return biased ? "(W_U norm(x_L) + b)" : "W_U norm(x_L)";
  }

  std::string turned(const std::string& matrix, const std::string& x) const {
    std::string of_heads = matrix + " " + read(x) + head_bias_;
    const bool head = is(trace::kStructureHeadNorms);
    const bool projection = is(trace::kStructureProjectionNorms);
    if (head && projection) return "norm(rope(" + of_heads + "))";
    if (head || projection) of_heads = "norm(" + of_heads + ")";
    if (!is(trace::kStructureRotated)) return of_heads;
    return "rope(" + of_heads + ")" +
           (is(trace::kStructureSomeRotated) ? " (some layers: without rope)" : "");
  }

  std::string score() const {
    const std::string s = is(trace::kStructureRootScale) ? "q k_j / sqrt D" : "scale q k_j";
    return is(trace::kStructureScoreCap) ? "cap(" + s + ")" : s;
  }

  std::string weights() const {
    if (is(trace::kStructureSinks))
      return "a_j = exp(s_j) / (exp(sink_h) + sum_i exp(s_i)), s_j = " + score();
    return "a = softmax(" + score() + ")";
  }

  std::string activation() const {
    const std::string x = read(read_by_ffn_);
    if (is(trace::kStructureClampedSwiglu)) {
      return clamped_swiglu("W_gate " + x + ffn_bias_, "W_up " + x + ffn_bias_);
    }
    const bool silu = is(trace::kStructureSilu);
    if (!silu && !is(trace::kStructureGelu)) return "f(" + x + ")";
    const std::string f = silu ? "silu" : "gelu";
    const std::string up = "W_up " + x + ffn_bias_;
    if (!is(trace::kStructureGated)) return f + "(" + up + ")";
    return f + "(W_gate " + x + ffn_bias_ + ") * " + (ffn_bias_.empty() ? up : "(" + up + ")");
  }

  const trace::StructureRecord& structure_;
  bool latent_;
  std::string bias_, ffn_bias_, head_bias_, read_by_ffn_;
};

uint32_t top_of(const Layout& layout, uint32_t layer, bool ffn) {
  return layout.spine(layer, ffn, Layout::kSpineParts - 1);
}

// Walks from one element to those that an input means.
class Finder {
 public:
  Finder(const trace::Reader& reader, const Layout& layout, const NodeRef& ref, size_t step)
      : reader_(reader), layout_(layout), ref_(ref) {
    if (step >= reader.steps()) return;
    const trace::StepRecord& record = reader.step(step);
    position_ = record.last_position();
    at_ = &reader.position(position_);
  }

  std::vector<Source> take(size_t limit) {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Source& a, const Source& b) { return a.weight > b.weight; });
    if (found_.size() > limit) found_.resize(limit);
    return std::move(found_);
  }

  void follow(const Input& input) {
    const auto& m = layout_.model();
    switch (input.reach) {
      case Reach::kLayerBelow:
        if (ref_.layer > 0) {
          add(top_of(layout_, ref_.layer - 1, true));
        } else if (at_ != nullptr && ref_.kind != Kind::kSlot) {
          add(layout_.tape(layout_.column_of(position_)));
        }
        break;
      case Reach::kLastLayer:
        add(top_of(layout_, m.layers - 1, true));
        break;
      case Reach::kSameLayer:
        if (input.kind == Kind::kHead) heads();
        if (input.kind == Kind::kCell) cells();
        if (input.kind == Kind::kRouter && layout_.router(ref_.layer) != shaders::kNoElement)
          add(layout_.router(ref_.layer));
        if (input.kind == Kind::kSpineAttention) middle();
        break;
      case Reach::kOwnLane:
        reads();
        break;
      case Reach::kOwnColumn:
        add(layout_.tape(ref_.column));
        break;
      case Reach::kDrawn:
        drawn();
        break;
      case Reach::kAll:
        for (uint32_t i = 0; i < Layout::kCandidates; ++i) add(layout_.candidate(i));
        break;
    }
  }

 private:
  void add(uint32_t element, float weight = 1.0F) {
    found_.push_back({element, std::clamp(std::abs(weight), 0.0F, 1.0F)});
  }

  // The residual stream between the two updates; in a parallel block the FFN reads what attention
  // reads.
  void middle() {
    const bool parallel = (layout_.structure().flags & trace::kStructureParallel) != 0;
    if (parallel && ref_.kind != Kind::kSpineFfn) {
      follow({Kind::kSpineFfn, Reach::kLayerBelow});
    } else {
      add(top_of(layout_, ref_.layer, false));
    }
  }

  void heads() {
    const bool known = at_ != nullptr && at_->attention.record != nullptr;
    for (uint32_t h = 0; h < layout_.model().heads; ++h) {
      add(layout_.head(ref_.layer, h), known ? at_->attention.head(ref_.layer, h).share : 1.0F);
    }
  }

  // The reads that are listed; several positions of one column are one element.
  void reads() {
    if (at_ == nullptr || at_->attention.record == nullptr) return;
    const auto& m = layout_.model();
    const uint32_t lane = trace::kv_head_of(m, ref_.index);
    std::vector<Source> columns;
    for (const trace::KvRead& read : at_->attention.reads_of(ref_.layer, ref_.index)) {
      const uint32_t slot = layout_.slot(ref_.layer, lane, layout_.column_of(read.position));
      const auto it = std::find_if(columns.begin(), columns.end(),
                                   [&](const Source& s) { return s.element == slot; });
      if (it == columns.end()) {
        columns.push_back({slot, read.weight});
      } else {
        it->weight += read.weight;
      }
    }
    for (const Source& column : columns) add(column.element, column.weight);
  }

  void cells() {
    if (at_ == nullptr || at_->ffn.record == nullptr) return;
    const trace::FfnRecord& record = *at_->ffn.record;
    for (uint32_t b = 0; b < record.buckets; ++b) {
      add(layout_.cell(ref_.layer, b),
          std::abs(at_->ffn.bucket_share[ref_.layer * record.buckets + b]));
    }
  }

  // Of the token at this column: the bar of the step that it came out of, if that one still stands.
  void drawn() {
    if (position_ == 0 || position_ >= reader_.positions()) return;
    if (layout_.column_of(position_) != ref_.column) return;
    const trace::Token& token = reader_.position(position_).token;
    if (token.record->kind != trace::TokenKind::kGenerated) return;
    const trace::Logits& logits = reader_.position(position_ - 1).logits;
    if (logits.record == nullptr) return;
    const uint32_t bars = std::min(logits.record->candidates, Layout::kCandidates);
    for (uint32_t i = 0; i < bars; ++i) {
      if (logits.candidates[i].id == logits.record->sampled)
        add(layout_.candidate(i), logits.candidates[i].probability);
    }
  }

  const trace::Reader& reader_;
  const Layout& layout_;
  const NodeRef& ref_;
  const trace::Position* at_ = nullptr;
  uint32_t position_ = 0;
  std::vector<Source> found_;
};

}  // namespace

std::span<const Dependency> dependencies() {
  return kTable;
}

const Dependency* dependency_of(Kind kind) {
  const auto it = std::find_if(kTable.begin(), kTable.end(),
                               [&](const Dependency& row) { return row.kind == kind; });
  return it == kTable.end() ? nullptr : &*it;
}

std::string formula_of(Kind kind, const trace::StructureRecord& structure, bool latent) {
  return Formulas(structure, latent).of(kind);
}

std::string activation_formula(const trace::StructureRecord& structure) {
  const bool silu = (structure.flags & trace::kStructureSilu) != 0;
  if ((structure.flags & trace::kStructureClampedSwiglu) != 0)
    return "act = " + clamped_swiglu("gate", "up");
  if (!silu && (structure.flags & trace::kStructureGelu) == 0) return "act: activations";
  const std::string f = silu ? "silu" : "gelu";
  return (structure.flags & trace::kStructureGated) != 0 ? "act = " + f + "(gate) * up"
                                                         : "act = " + f + "(up)";
}

std::string router_formula(const trace::StructureRecord& structure) {
  return Formulas(structure).router();
}

std::string weight_formula(const trace::StructureRecord& structure) {
  const auto is = [&](uint32_t flag) { return (structure.flags & flag) != 0; };
  return std::string(is(trace::kStructureScaledExperts) ? "G_e = scale p_e" : "G_e = p_e") +
         (is(trace::kStructureRenormalised) ? " / sum of the chosen p" : " of the chosen") +
         (is(trace::kStructureChoiceBias) ? ", chosen by p_e + b_e" : "");
}

const char* before_scale(const trace::StructureRecord& structure) noexcept {
  const bool scaled = (structure.flags & trace::kStructureScaledUpdates) != 0;
  return scaled ? ", the update before its scale" : "";
}

std::string neuron_formula(const trace::StructureRecord& structure) {
  return std::string(structure.experts > 0 ? "G_e " : "") + "act_n <w_n, df> / |df|^2" +
         before_scale(structure);
}

std::optional<uint32_t> idle_expert(const trace::Position& at, const Layout& layout,
                                    const NodeRef& cell) {
  if (at.experts.record == nullptr || at.ffn.record == nullptr ||
      layout.router(cell.layer) == shaders::kNoElement)
    return {};
  // A cell may hold neurons of two experts, one of which worked.
  if (at.ffn.rms[cell.layer * layout.model().buckets + cell.index] != 0.0F) return {};
  const uint32_t expert = layout.expert_of(cell);
  for (const trace::ExpertShare& used : at.experts.used_in(cell.layer)) {
    if (used.expert == expert) return {};
  }
  return expert;
}

std::vector<Source> sources_of(const trace::Reader& reader, const Layout& layout,
                               const NodeRef& ref, size_t step, size_t limit) {
  const Dependency* row = dependency_of(ref.kind);
  // Of the other models only the structure stands there: they have no trace to be computed by.
  if (row == nullptr || ref.subject != 0) return {};
  Finder finder(reader, layout, ref, step);
  for (const Input& input : row->inputs) finder.follow(input);
  return finder.take(limit);
}

}  // namespace scene
