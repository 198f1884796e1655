#include "model/arch/keys.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>

#include "model/arch/weights.h"
#include "model/utf8.h"

namespace model {

namespace {

// Bounds far above every published model; below them no product of two sizes overflows.
constexpr int64_t kMaxLayers = 1 << 12;
constexpr int64_t kMaxWidth = 1 << 24;
constexpr int64_t kMaxHeads = 1 << 16;
constexpr int64_t kMaxContext = 1 << 30;
constexpr int64_t kMaxExperts = 1 << 12;
constexpr int64_t kMaxAllExperts = 1 << 17;   // over all layers
constexpr int64_t kMaxLatentHeads = 1 << 16;  // over all layers

}  // namespace

Keys::Keys(const ModelFile& file) : file_(file), arch_(file.get_string("general.architecture")) {}

void Keys::require(const char* name) const {
  if (!has(name)) {
    file_.fail("the key " + quoted(key(name)) + " is missing", "convert the model again");
  }
}

int64_t Keys::integer(const char* name, int64_t most) const {
  return file_.get_int(key(name), 1, most);
}

int64_t Keys::integer(const char* name, int64_t most, int64_t fallback) const {
  return file_.get_int(key(name), 1, most, fallback);
}

float Keys::positive(const char* name, float fallback) const {
  if (!has(name)) return fallback;
  const double value = file_.get_float(key(name), 0.0);
  constexpr double kMost = std::numeric_limits<float>::max();
  if (!(static_cast<float>(value) > 0.0F && value <= kMost)) {
    file_.fail(key(name) + " is " + digits_of(value), "a positive number of 32 bits");
  }
  return static_cast<float>(value);
}

float Keys::positive_or_none(const char* name, float fallback) const {
  if (has(name) && file_.get_float(key(name), 0.0) == 0.0) return 0.0F;
  return positive(name, fallback);
}

void Keys::refuse_other_length(const char* name, size_t entries, int64_t layers) const {
  if (std::cmp_equal(entries, layers)) return;
  file_.fail(key(name) + " is of " + std::to_string(entries) + " layers",
             "the model has " + std::to_string(layers));
}

// Files of some converters give such a number layer by layer.
int64_t Keys::same_in_all_layers(const char* name, int64_t most) const {
  const MetaValue* value = file_.find(key(name));
  const auto of = [&](const auto* list) -> std::optional<int64_t> {
    if (list == nullptr || list->empty()) return std::nullopt;
    refuse_other_length(name, list->size(), integer("block_count", kMaxLayers));
    const auto first = list->front();
    if (std::any_of(list->begin(), list->end(), [&](auto v) { return v != first; })) {
      file_.fail(key(name) + " differs from layer to layer, which is not supported");
    }
    if (first < 1 || std::cmp_greater(first, most)) {
      file_.fail(key(name) + " is " + std::to_string(first), "1 to " + std::to_string(most));
    }
    return static_cast<int64_t>(first);
  };
  if (const auto n = of(std::get_if<std::vector<uint64_t>>(value))) return *n;
  if (const auto n = of(std::get_if<std::vector<int64_t>>(value))) return *n;
  return integer(name, most);
}

int64_t Keys::same_in_all_layers(const char* name, int64_t most, int64_t fallback) const {
  return has(name) ? same_in_all_layers(name, most) : fallback;
}

bool Keys::boolean(const char* name, bool fallback) const {
  return file_.get_bool(key(name), fallback);
}

std::vector<int64_t> Keys::whole_numbers(const char* name) const {
  const MetaValue* value = file_.find(key(name));
  if (const auto* i = std::get_if<std::vector<int64_t>>(value)) return *i;
  if (const auto* u = std::get_if<std::vector<uint64_t>>(value)) return {u->begin(), u->end()};
  return {};
}

bool Keys::has_directions() const {
  const char* name = "rope.dimension_sections";
  const std::vector<int64_t> sections = whole_numbers(name);
  if (has(name) && sections.empty()) {
    file_.fail(key(name) + " is no list of whole numbers", "convert the model again");
  }
  return sections.size() > 1 && sections[0] > 0 && sections[1] > 0;
}

FfnKind Keys::gelu() const {
  return file_.get_bool("fulgurite.gelu.exact", false) ? FfnKind::kGeluExact : FfnKind::kGelu;
}

void Keys::read_windows(Config& c, int64_t usual, int64_t usual_period) const {
  c.window = file_.get_int(key("attention.sliding_window"), 0, kMaxContext, usual);
  if (c.window > 0) c.window_period = window_period(c.n_layer, usual_period);
}

int64_t Keys::window_period(int64_t layers, int64_t fallback) const {
  const char* name = "attention.sliding_window_pattern";
  const std::vector<int64_t> numbers = whole_numbers(name);
  std::vector<bool> windowed(numbers.begin(), numbers.end());
  if (const auto* flags = std::get_if<std::vector<bool>>(file_.find(key(name)))) windowed = *flags;
  if (windowed.empty()) return file_.get_int(key(name), 0, kMaxLayers, fallback);
  refuse_other_length(name, windowed.size(), layers);
  const auto first_full = std::find(windowed.begin(), windowed.end(), false);
  if (first_full == windowed.end()) return 0;
  const int64_t period = first_full - windowed.begin() + 1;
  for (int64_t l = 0; l < layers; ++l) {
    if (windowed[static_cast<size_t>(l)] == (l % period == period - 1)) {
      file_.fail(key(name) + " is not regular: layer " + std::to_string(l) +
                     " breaks the period of " + std::to_string(period),
                 "only windows in all but every n-th layer are supported");
    }
  }
  return period;
}

int64_t Keys::vocabulary() const {
  const auto* tokens = file_.get_strings("tokenizer.ggml.tokens");
  if (!tokens && !has("vocab_size")) {
    file_.fail("the key 'tokenizer.ggml.tokens' is missing, and so is " + key("vocab_size"),
               "convert the model again");
  }
  if (!tokens) return integer("vocab_size", kMaxWidth);
  const auto n = static_cast<int64_t>(tokens->size());
  if (n < 1 || n > kMaxWidth) {
    file_.fail("tokenizer.ggml.tokens has " + std::to_string(n) + " tokens",
               "1 to " + std::to_string(kMaxWidth));
  }
  if (integer("vocab_size", kMaxWidth, n) != n) {
    file_.fail(key("vocab_size") + " is " + std::to_string(integer("vocab_size", kMaxWidth)) +
               ", but tokenizer.ggml.tokens has " + std::to_string(n));
  }
  return n;
}

void Keys::read_rope(Config& c) const {
  c.rope_dim = integer("rope.dimension_count", c.head_dim, c.head_dim);
  if (c.rope_dim % 2 != 0) {
    file_.fail(key("rope.dimension_count") + " is " + std::to_string(c.rope_dim) +
               ", which is odd");
  }
  c.rope_base = positive("rope.freq_base", 10000.0F);
  float factor = positive_or_none("rope.scaling.factor", positive("rope.scale_linear", 1.0F));
  if (factor == 0.0F) factor = 1.0F;
  float magnitude = 1.0F;
  // Files that name no type are stretched by the factor alone, as in llama.cpp; those of Phi-3 by
  // the two tensors they hold.
  const bool is_long = file_.find_tensor("rope_factors_long.weight") != nullptr;
  const std::string scaling =
      file_.get_string(key("rope.scaling.type"), is_long ? "longrope" : "linear");
  if (scaling == "linear") {
    c.rope_scale = 1.0F / factor;
  } else if (scaling == "yarn") {
    c.rope_scale = 1.0F / factor;
    const float usual = read_yarn(c);
    magnitude = positive("rope.scaling.yarn_attn_factor", usual);
    // Converters put vLLM's attn_factor here, which neither llama.cpp nor transformers heeds; for
    // attention_factor, which they put here as well, llama.cpp has the usual one.
    if (is_gguf()) magnitude = usual;
  } else if (scaling == "longrope") {
    c.rope_scale = 1.0F / factor;
    // How much stretched ones are made up for (attn_factor) the file says, or they are not.
    c.rope_original =
        file_.get_int(key("rope.scaling.original_context_length"), 2, kMaxContext, c.n_ctx);
  } else if (scaling == "llama3") {
    if (file_.find_tensor("rope_freqs.weight") == nullptr) {
      file_.fail("RoPE scaling of type llama3 needs the tensor rope_freqs.weight",
                 "convert the model again");
    }
  } else if (scaling != "none") {
    file_.fail("RoPE scaling of type " + quoted(scaling) + " is not supported",
               "linear, longrope, yarn and rope_freqs.weight are");
  }
  c.rope_magnitude_local = positive("rope.scaling.attn_factor", 1.0F);
  c.rope_magnitude = magnitude * c.rope_magnitude_local;
  if (!std::isfinite(c.rope_scale) ||
      !(c.rope_magnitude > 0.0F && std::isfinite(c.rope_magnitude))) {
    const bool is_new = has("rope.scaling.factor");
    file_.fail("the RoPE scaling leads to no finite number",
               "mend " + key(is_new ? "rope.scaling.factor" : "rope.scale_linear"));
  }
}

// YaRN (Peng et al. 2023, arXiv:2309.00071): pairs that turn more than beta_fast times within the
// original context keep their frequency, those that turn less than beta_slow times are scaled.
// Returns by what cos and sin are multiplied: 1 + 0.1 ln(factor), over the same with the logarithm
// multiplied where the file says so (DeepSeek's mscale_all_dim, as llama.cpp understands it).
float Keys::read_yarn(Config& c) const {
  const char* original_context = "rope.scaling.original_context_length";
  const int64_t original = integer(original_context, kMaxContext, c.n_ctx);
  // Qwen's recipe adds the scaling and leaves the context as it was trained.
  if (has(original_context)) {
    const double stretched = static_cast<double>(original) / double{c.rope_scale};
    c.n_ctx = std::clamp<int64_t>(std::llround(std::min(stretched, double{kMaxContext})), c.n_ctx,
                                  kMaxContext);
  }
  const char* extrapolation = "rope.scaling.yarn_ext_factor";
  if (file_.get_float(key(extrapolation), 1.0) != 1.0)
    file_.fail(key(extrapolation) + " is not supported");
  const double pairs = static_cast<double>(c.rope_dim / 2);
  const auto pair_that_turns = [&](double times) {
    return pairs * std::log(static_cast<double>(original) / (times * 2.0 * std::numbers::pi)) /
           std::log(double{c.rope_base});
  };
  const double fast = double{positive("rope.scaling.yarn_beta_fast", 32.0F)};
  const double slow = double{positive("rope.scaling.yarn_beta_slow", 1.0F)};
  if (!(c.rope_base > 1.0F && fast >= slow)) {
    file_.fail("the YaRN scaling contradicts itself",
               "rope.freq_base is above 1, yarn_beta_fast is at least yarn_beta_slow");
  }
  const auto last = static_cast<double>(c.rope_dim - 1);
  c.rope_kept = static_cast<int64_t>(std::clamp(std::floor(pair_that_turns(fast)), 0.0, last));
  c.rope_scaled = static_cast<int64_t>(std::clamp(std::ceil(pair_that_turns(slow)), 0.0, last));
  c.rope_scaled = std::max(c.rope_scaled, c.rope_kept + 1);  // the pair of both corners is kept
  const float growth = 0.1F * std::log(std::max(1.0F / c.rope_scale, 1.0F));
  const float multiplier = positive_or_none("rope.scaling.yarn_log_multiplier", 0.0F);
  return (1.0F + growth) / (1.0F + multiplier * growth);
}

void Keys::read_experts(Config& c) const {
  c.n_expert = file_.get_int(key("expert_count"), 0, kMaxExperts, 0);
  if (c.n_expert == 0) return;
  if (c.n_layer * c.n_expert > kMaxAllExperts) {
    file_.fail(std::to_string(c.n_layer) + " layers of " + std::to_string(c.n_expert) + " experts",
               "at most " + std::to_string(kMaxAllExperts) + " experts altogether");
  }
  c.n_expert_used = integer("expert_used_count", c.n_expert);
  c.n_ff = integer("expert_feed_forward_length", kMaxWidth, c.n_ff);
  c.expert_renormalise = boolean("expert_weights_norm", true);
  c.router = router_kind(RouterKind::kSoftmax);
  if (softmax_of_chosen()) c.expert_renormalise = true;
}

int64_t Keys::gating_function() const {
  return file_.get_int(key("expert_gating_func"), 0, 255, 0);
}

// The same as their probabilities over their sum.
bool Keys::softmax_of_chosen() const {
  return gating_function() == 3;
}

// Numbers of llama.cpp; 0 stands for what is usual in a family.
RouterKind Keys::router_kind(RouterKind usual) const {
  const int64_t gating = gating_function();
  if (gating > 3) {
    file_.fail(key("expert_gating_func") + " is " + std::to_string(gating),
               "softmax (1, 3) or sigmoid (2); others are not supported");
  }
  return gating == 0 ? usual : gating == 2 ? RouterKind::kSigmoid : RouterKind::kSoftmax;
}

void Keys::read_large_mixture(Config& c, RouterKind usual, bool together) const {
  for (const char* name : {"expert_count", "expert_feed_forward_length"}) require(name);
  if (c.n_expert == 0) file_.fail(key("expert_count") + " is 0", "1 or more");
  leave_out_guessing_layers(c);
  c.router = router_kind(usual);
  c.expert_renormalise = boolean("expert_weights_norm", false) || softmax_of_chosen();
  c.expert_scale = scale("expert_weights_scale");
  const int64_t shared = file_.get_int(key("expert_shared_count"), 0, kMaxExperts, 0);
  const int64_t width = neurons_of_shared();
  c.n_ff_shared = together ? width : (width > 0 ? width : c.n_ff) * shared;
  for (const Tensor& t : file_.tensors()) {
    const bool bias = t.name.ends_with(".exp_probs_b.bias");
    c.choice_biased = c.choice_biased || (bias && layer_of(t.name) < c.n_layer);
  }
  read_dense_layers(c);
  read_groups(c);
  if (softmax_of_chosen() && (c.choice_biased || c.expert_groups > 1)) {
    file_.fail(
        key("expert_gating_func") + " is 3, and experts are chosen by more than their logits",
        "this is not supported");
  }
}

void Keys::leave_out_guessing_layers(Config& c) const {
  c.n_layer_unused = file_.get_int(key("nextn_predict_layers"), 0, kMaxLayers, 0);
  if (c.n_layer_unused >= c.n_layer) {
    file_.fail(key("nextn_predict_layers") + " is " + std::to_string(c.n_layer_unused) + " of " +
                   std::to_string(c.n_layer) + " layers",
               "some layer makes the next token");
  }
  c.n_layer -= c.n_layer_unused;
}

void Keys::read_dense_layers(Config& c) const {
  c.dense_layers = file_.get_int(key("leading_dense_block_count"), 0, kMaxLayers, 0);
  if (c.dense_layers == 0) return;
  if (c.dense_layers >= c.n_layer) {
    file_.fail(key("leading_dense_block_count") + " is " + std::to_string(c.dense_layers) + " of " +
                   std::to_string(c.n_layer) + " layers",
               "a mixture has experts in some layer");
  }
  c.n_ff_dense = same_in_all_layers("feed_forward_length", kMaxWidth);
  if (c.n_ff_dense > c.neurons()) {
    file_.fail("its dense layers have " + std::to_string(c.n_ff_dense) + " neurons, and all " +
                   "experts of another together only " + std::to_string(c.neurons()),
               "this is not supported");
  }
}

void Keys::read_groups(Config& c) const {
  c.expert_groups =
      std::max<int64_t>(1, file_.get_int(key("expert_group_count"), 0, kMaxExperts, 1));
  if (c.expert_groups == 1) return;
  require("expert_group_used_count");
  c.expert_groups_used = integer("expert_group_used_count", kMaxExperts);
  const int64_t in_group = c.n_expert / c.expert_groups;
  if (c.n_expert % c.expert_groups != 0 || in_group < 2 || c.expert_groups_used > c.expert_groups ||
      c.expert_groups_used * in_group < c.n_expert_used) {
    file_.fail(std::to_string(c.n_expert_used) + " of " + std::to_string(c.n_expert) +
                   " experts cannot be found in " + std::to_string(c.expert_groups_used) + " of " +
                   std::to_string(c.expert_groups) + " groups",
               "mend " + key("expert_group_count") + " or expert_group_used_count");
  }
}

void Keys::read_latent(Config& c) const {
  require("attention.kv_lora_rank");
  c.kv_rank = integer("attention.kv_lora_rank", kMaxWidth);
  if (has("attention.q_lora_rank")) c.query_rank = integer("attention.q_lora_rank", kMaxWidth);
  const bool apart = has("attention.key_length_mla");
  for (const char* name : {"attention.key_length", "attention.value_length"}) {
    require(apart ? (std::string(name) + "_mla").c_str() : name);
  }
  c.query_width = integer(apart ? "attention.key_length_mla" : "attention.key_length", kMaxWidth);
  c.head_value_dim =
      integer(apart ? "attention.value_length_mla" : "attention.value_length", kMaxWidth);
  if (c.rope_dim >= c.query_width) {
    file_.fail("all " + std::to_string(c.query_width) + " values of a query are rotated",
               "some are not, in latent attention: mend " + key("rope.dimension_count"));
  }
  if (c.n_layer * c.n_head > kMaxLatentHeads) {
    file_.fail(std::to_string(c.n_layer) + " layers of " + std::to_string(c.n_head) + " heads",
               "at most " + std::to_string(kMaxLatentHeads) + " heads altogether");
  }
  c.n_head_kv = 1;
  c.head_dim = c.kv_rank + c.rope_dim;
  c.attention_scale = 1.0F / std::sqrt(static_cast<float>(c.query_width));
  // YaRN's magnitude: files with a multiplier m have (1 + 0.1 m ln(factor))^2 of the scores instead
  // of the part that is rotated (llama.cpp has the key as 0.1 m), others have it of both.
  const char* const log_multiplier = "rope.scaling.yarn_log_multiplier";
  const float multiplier = positive_or_none(log_multiplier, 0.0F);
  if (positive("rope.scaling.attn_factor", 1.0F) != 1.0F) {
    file_.fail(key("rope.scaling.attn_factor") + " is not supported with latent attention");
  }
  if (c.rope_scaled == 0) {
    if (multiplier > 0.0F) file_.fail(key(log_multiplier) + " is not supported without YaRN");
    return;
  }
  const float growth = std::log(std::max(1.0F / c.rope_scale, 1.0F));
  c.rope_magnitude = multiplier > 0.0F ? 1.0F : 1.0F + 0.1F * growth;
  const float of_scores = 1.0F + (multiplier > 0.0F ? multiplier : 0.1F) * growth;
  c.attention_scale *= of_scores * of_scores;
  if (!std::isfinite(c.attention_scale)) {
    file_.fail("the RoPE scaling leads to no finite number",
               "mend " + key("rope.scaling.yarn_log_multiplier"));
  }
}

int64_t Keys::dense_width() const {
  return same_in_all_layers("feed_forward_length", kMaxWidth,
                            integer("expert_feed_forward_length", kMaxWidth, 0));
}

int64_t Keys::neurons_of_shared() const {
  return file_.get_int(key("expert_shared_feed_forward_length"), 0, kMaxWidth, 0);
}

int64_t Keys::expert_width(const Config& c) const {
  const int64_t together = dense_width() / std::max<int64_t>(1, c.n_expert_used);
  return integer("expert_feed_forward_length", kMaxWidth, std::max<int64_t>(1, together));
}

float Keys::scale(const char* name, float fallback) const {
  const float value = positive_or_none(name, fallback);
  return value == 0.0F ? 1.0F : value;
}

float Keys::divisor(const char* name, float fallback) const {
  const float inverse = 1.0F / positive(name, fallback);
  if (!std::isfinite(inverse)) {
    file_.fail(key(name) + " divides to no finite number", "damaged; fetch it again");
  }
  return inverse;
}

void Keys::read_temperature(Config& c) const {
  c.temperature_scale = positive_or_none("attention.temperature_scale", 0.0F);
  if (c.temperature_scale == 0.0F) return;
  c.temperature_length = integer("rope.scaling.original_context_length", kMaxContext, c.n_ctx);
}

void Keys::refuse_other(const char* name, int64_t supported) const {
  const int64_t value = file_.get_int(key(name), 0, kMaxWidth, supported);
  if (value != supported) {
    file_.fail(key(name) + " is " + std::to_string(value),
               "only " + std::to_string(supported) + " is supported");
  }
}

void Keys::refuse_scale(const char* name) const {
  const double value = file_.get_float(key(name), 1.0);
  if (value != 1.0 && value != 0.0) file_.fail(key(name) + " is not supported");
}

// What would silently give wrong numbers if it were passed over.
void Keys::refuse_unknown(const Ways& ways) const {
  if (!ways.mixes) {
    refuse_scale("expert_weights_scale");
    if (router_kind(RouterKind::kSoftmax) != RouterKind::kSoftmax) {
      file_.fail(key("expert_gating_func") + " is 2",
                 "only softmax (1, 3) is supported in this architecture");
    }
  }
  if (!ways.tempers) refuse_scale("attention.temperature_scale");
  const char* multiplier = "rope.scaling.yarn_log_multiplier";
  if (!ways.tempers && !ways.latent && file_.get_float(key(multiplier), 0.0) != 0.0)
    file_.fail(key(multiplier) + " is not supported");
  for (const char* name : {"embedding_scale", "residual_scale", "logit_scale"}) {
    if (!ways.scales) refuse_scale(name);
  }
  for (const auto& [name, other] : {std::pair{"rope.dimension_count_swa", "rope.dimension_count"},
                                    std::pair{"expert_group_used_count", "expert_group_count"}}) {
    if (ways.mixes && std::string_view(name).starts_with("expert")) continue;
    if (has(name) && has(other) &&
        file_.get_int(key(name), 0, kMaxWidth) != file_.get_int(key(other), 0, kMaxWidth)) {
      file_.fail(key(name) + " differs from " + other + ", which is not supported");
    }
  }
  if (!file_.get_bool(key("attention.causal"), true)) {
    file_.fail("attention that is not causal is not supported");
  }
}

Config Keys::common(NormKind norm, const Ways& ways) const {
  refuse_unknown(ways);
  Config c;
  c.arch = arch_;
  constexpr size_t kLongestName = 1024;
  c.name = printable(file_.get_string("general.name", ""), kLongestName);
  c.n_layer = integer("block_count", kMaxLayers);
  c.n_embd = integer("embedding_length", kMaxWidth);
  c.n_ff = dense_width();
  if (c.n_ff == 0) c.n_ff = integer("feed_forward_length", kMaxWidth);  // says that it is missing
  c.n_ctx = integer("context_length", kMaxContext);
  c.n_head = same_in_all_layers("attention.head_count", kMaxHeads);
  c.n_head_kv = same_in_all_layers("attention.head_count_kv", kMaxHeads, c.n_head);
  if (c.n_head % c.n_head_kv != 0) {
    file_.fail(key("attention.head_count") + " is " + std::to_string(c.n_head) + ", and " +
                   std::to_string(c.n_head) + " heads cannot share " + std::to_string(c.n_head_kv) +
                   " KV heads evenly",
               "mend it or " + key("attention.head_count_kv"));
  }
  if (!has("attention.key_length") && c.n_embd % c.n_head != 0) {
    file_.fail("a width of " + std::to_string(c.n_embd) + " does not divide into " +
               std::to_string(c.n_head) + " heads");
  }
  c.head_dim =
      integer("attention.key_length", kMaxWidth, std::max<int64_t>(1, c.n_embd / c.n_head));
  if (!ways.latent && integer("attention.value_length", kMaxWidth, c.head_dim) != c.head_dim) {
    file_.fail(key("attention.value_length") + " differs from attention.key_length, which is not " +
               "supported");
  }
  if (ways.rotates) {
    read_rope(c);
  } else {
    c.rope = RopeKind::kNone;
  }
  read_experts(c);
  c.norm = norm;
  const char* epsilon =
      norm == NormKind::kRms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  require(epsilon);
  c.norm_eps = positive(epsilon, 1e-5F);
  const float usual_scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim));
  c.attention_scale = positive_or_none("attention.scale", usual_scale);
  if (c.attention_scale == 0.0F) c.attention_scale = usual_scale;
  c.n_vocab = vocabulary();
  const auto has_tensor = [&](const char* name) { return file_.find_tensor(name) != nullptr; };
  c.tied = !has_tensor("output.weight");
  c.head_biased = has_tensor("output.bias");
  for (const Tensor& t : file_.tensors()) {
    const std::string_view name = t.name;
    if (!name.starts_with("blk.") || !name.ends_with(".bias")) continue;
    const std::string_view of = name.substr(name.find('.', 4) + 1);  // "attn_q.bias"
    if (of == "attn_output.bias") c.added_attention_bias = true;
    if (of == "ffn_gate_inp.bias") c.added_router_bias = true;
    for (const char* part : {"attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_qkv.bias"})
      c.added_head_biases = c.added_head_biases || of == part;
    for (const char* matrix : {"ffn_gate", "ffn_up", "ffn_down"}) {
      for (const char* kind : {"", "_exps", "_shexp"}) {
        c.added_ffn_biases = c.added_ffn_biases || of == std::string(matrix) + kind + ".bias";
      }
    }
  }
  return c;
}

}  // namespace model
