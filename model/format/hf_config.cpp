#include "model/format/hf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "model/format/owned_tensor.h"
#include "model/utf8.h"

namespace model {
namespace {

constexpr uint64_t kMost = uint64_t{1} << 31;      // of any count in config.json
constexpr uint64_t kMostHead = uint64_t{1} << 16;  // width of a head

// What transformers assumes where config.json is silent (the defaults of its config classes).
struct Family {
  std::string_view model_type;
  std::string_view arch;
  std::string_view activation;  // what the name of hidden_act begins with
  bool tied = false;
  double rope_base = 10000.0;
  uint64_t head_dim = 0;  // 0: width / heads
  uint64_t kv_heads = 0;  // 0: as many as heads
  uint64_t window = 0;    // 0: none
  double epsilon = 1e-6;
  uint64_t heads = 0;  // 0: config.json must say, here and below
  uint64_t vocab = 0;
  uint64_t context = 0;
};

constexpr std::array kFamilies = {
    Family{"llama", "llama", "silu"},
    Family{"mistral", "llama", "silu", false, 1e4, 0, 8, 4096},
    Family{"mixtral", "llama", "silu", false, 1e6, 0, 8, 0, 1e-5},
    Family{"gpt2", "gpt2", "gelu", true, 0.0, 0, 0, 0, 1e-5},
    Family{"gpt_neox", "gptneox", "gelu", false, 1e4, 0, 0, 0, 1e-5},
    Family{"qwen2", "qwen2", "silu"},
    Family{"qwen3", "qwen3", "silu", false, 1e4, 128},
    Family{"qwen2_moe", "qwen2moe", "silu"},
    Family{"qwen3_moe", "qwen3moe", "silu"},
    Family{"olmoe", "olmoe", "silu", false, 1e4, 0, 0, 0, 1e-5},
    Family{"gemma", "gemma", "gelu", true, 1e4, 256, 16},
    Family{"gemma2", "gemma2", "gelu", true, 1e4, 256, 4, 4096},
    // The folders of those that see say only how their text model differs from 4 B.
    Family{"gemma3_text", "gemma3", "gelu", true, 1e6, 256, 4, 4096, 1e-6, 8, 262208, 131072},
    Family{"gemma3", "gemma3", "gelu", true, 1e6, 256, 4, 4096, 1e-6, 8, 262208, 131072},
    Family{"olmo2", "olmo2", "silu", false, 1e4, 0, 0, 0, 1e-5},
    Family{"olmo3", "olmo2", "silu", false, 5e5, 0, 0, 4096, 1e-5},
    Family{"smollm3", "smollm3", "silu", true, 2e6, 0, 4},
    Family{"granite", "granite", "silu"},
    Family{"glm4", "glm4", "silu", false, 1e4, 128, 2, 0, 1.5625e-7},
    Family{"starcoder2", "starcoder2", "gelu", true, 1e4, 0, 2, 0, 1e-5},
    Family{"phi", "phi2", "gelu", false, 1e4, 0, 0, 0, 1e-5},
    Family{"phi3", "phi3", "silu", false, 1e4, 0, 0, 0, 1e-5},
};

const Family* find_family(const Json& config) {
  const std::string_view type = json_text(json_at(config, "model_type"));
  const auto at = std::find_if(kFamilies.begin(), kFamilies.end(),
                               [&](const Family& family) { return family.model_type == type; });
  return at == kFamilies.end() ? nullptr : &*at;
}

// Reads config.json, key by key, into the GGUF keys "<arch>.<name>".
class Reader {
 public:
  Reader(const Json& config, const Family& family, ModelFile& file)
      : config_(config), family_(family), file_(file) {}

  void read() {
    file_.add("general.architecture", std::string(family_.arch));
    refuse_unsupported();
    sizes();
    norms();
    if (family_.arch != "gpt2") rope();
    windows_and_caps();
    experts();
    if (family_.arch == "granite") scales();
    for (const char* arch : {"llama", "smollm3", "granite"}) {
      if (family_.arch == arch) file_.add("fulgurite.rope.halves", true);
    }
    activation();
    if (family_.arch == "gptneox") {
      add("use_parallel_residual", boolean("use_parallel_residual").value_or(true));
    }
  }

 private:
  [[noreturn]] void fail(const char* key, const std::string& what,
                         std::string hint = "in config.json") const {
    file_.fail(std::string(key) + " " + what, std::move(hint));
  }
  void add(const std::string& name, MetaValue value) {
    file_.add(std::string(family_.arch) + "." + name, std::move(value));
  }

  // nullopt where the key is missing or null.
  std::optional<uint64_t> whole(const Json& object, const char* key) const {
    const Json& value = json_at(object, key);
    if (value.is_null()) return std::nullopt;
    // Also one that is written as 8192.0.
    const double size = value.is_number() ? value.get<double>() : -1.0;
    if (!(size >= 0.0 && size <= double{kMost}) || std::floor(size) != size) {
      fail(key, "is no whole number up to 2^31");
    }
    return static_cast<uint64_t>(size);
  }
  std::optional<uint64_t> whole(const char* key) const { return whole(config_, key); }
  std::optional<double> number(const Json& object, const char* key) const {
    const Json& value = json_at(object, key);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number() || !std::isfinite(value.get<double>())) fail(key, "is no number");
    return value.get<double>();
  }
  std::optional<double> number(const char* key) const { return number(config_, key); }
  std::optional<bool> boolean(const char* key) const {
    const Json& value = json_at(config_, key);
    if (value.is_null()) return std::nullopt;
    if (!value.is_boolean()) fail(key, "is not true or false");
    return value.get<bool>();
  }
  uint64_t required(const char* key, const char* old_key = nullptr, uint64_t fallback = 0) const {
    std::optional<uint64_t> value = whole(key);
    if (!value && old_key) value = whole(old_key);
    if (!value && fallback != 0) value = fallback;
    if (!value) fail(key, "is missing");
    if (*value == 0) fail(key, "is 0");
    return *value;
  }

  // Names of transformers' ACT2FN. The Gemmas pass over hidden_act, and theirs is never exact.
  bool supported(std::string_view key, std::string_view act) const {
    if (family_.activation == "silu") return act == "silu" || act == "swish";
    if (act == "gelu_10" || !act.starts_with(family_.activation)) return false;
    return key != "hidden_activation" || (act != "gelu" && act != "gelu_python");
  }

  void refuse_unsupported() const {
    boolean("tie_word_embeddings");
    if (!json_at(config_, "quantization_config").is_null()) {
      fail("quantization_config", "is not supported", "fetch the model as it was before");
    }
    for (const auto& [key, bias] : {std::pair{"attention_bias", "blk.0.attn_q.bias"},
                                    std::pair{"mlp_bias", "blk.0.ffn_up.bias"}}) {
      const bool has_weights = !file_.tensors().empty();  // not config.json alone
      const bool is_on = boolean(key).value_or(false);
      if (is_on && has_weights && !file_.find_tensor(bias)) {
        fail(key, "is on, but the folder holds no such biases");
      }
      // Qwen 2 asks nobody and has those of the heads.
      const bool is_said = boolean(key).has_value() && !family_.arch.starts_with("qwen2");
      if (is_said && !is_on && file_.find_tensor(bias)) {
        fail(key, "is off, but the folder holds such biases");
      }
    }
    if (family_.arch == "gptneox" && !boolean("attention_bias").value_or(true)) {
      fail("attention_bias", "is off, which is not supported for this architecture");
    }
    for (const char* key : {"hidden_act", "hidden_activation", "activation_function"}) {
      const Json& value = json_at(config_, key);
      if (!value.is_null() && !value.is_string()) fail(key, "is no text");
      const std::string_view act = json_text(value);
      if (!act.empty() && !supported(key, act)) {
        fail(key, "is " + model::quoted(act) + ", which is not supported for this architecture");
      }
    }
    if (!boolean("is_causal").value_or(true)) fail("is_causal", "is off, which is not supported");
    const Json& both_ways = json_at(config_, "use_bidirectional_attention");
    if (!both_ways.is_null() && both_ways != false && both_ways != "vision") {
      fail("use_bidirectional_attention", "is on, which is not supported");
    }
    if (boolean("qk_layernorm").value_or(false)) fail("qk_layernorm", "is not supported");
    if (number("clip_qkv")) fail("clip_qkv", "is not supported");
    if (boolean("scale_attn_by_inverse_layer_idx").value_or(false)) {
      fail("scale_attn_by_inverse_layer_idx", "is not supported");
    }
    if (!boolean("scale_attn_weights").value_or(true)) fail("scale_attn_weights", "is off");
    if (boolean("use_sliding_window").value_or(false) &&
        whole("max_window_layers").value_or(0) < required("num_hidden_layers")) {
      fail("use_sliding_window", "is not supported for this architecture");
    }
    if (family_.arch == "starcoder2" && !boolean("use_bias").value_or(true))
      fail("use_bias", "is off, which is not supported");
    if (family_.arch == "smollm3") refuse_other_rotations();
    if (!family_.arch.starts_with("qwen") && family_.arch != "smollm3") return;
    for (const bool windowed : layer_types()) {
      if (windowed) fail("layer_types", "holds sliding_attention, which is not supported here");
    }
  }

  // Only SmolLM 3's own: every fourth layer is not rotated.
  void refuse_other_rotations() const {
    const Json& rotated = json_at(config_, "no_rope_layers");  // 1: it is
    bool usual = rotated.is_null() && whole("no_rope_layer_interval").value_or(4) == 4;
    const size_t layers = required("num_hidden_layers");
    if (rotated.is_array() && rotated.size() != layers) {
      fail("no_rope_layers", "has not as many entries as there are layers");
    }
    if (rotated.is_array()) {
      usual = true;
      for (size_t l = 0; l < layers; ++l) usual = usual && rotated[l] == ((l + 1) % 4 != 0 ? 1 : 0);
    }
    if (!usual) fail("no_rope_layers", "names others than every fourth, which is not supported");
  }

  // Whether each layer has a window; empty where config.json does not say it layer by layer.
  std::vector<bool> layer_types() const {
    const Json& types = json_at(config_, "layer_types");
    std::vector<bool> windowed;
    if (types.is_null()) return windowed;
    if (!types.is_array()) fail("layer_types", "is no list");
    for (const Json& type : types) {
      if (type != "full_attention" && type != "sliding_attention") {
        fail("layer_types", "holds something else than full_attention and sliding_attention");
      }
      windowed.push_back(type == "sliding_attention");
    }
    if (windowed.size() != required("num_hidden_layers")) {
      fail("layer_types", "has not as many entries as there are layers");
    }
    return windowed;
  }

  // "gelu" means the exact one in families without a gate; those with one always approximate it.
  void activation() {
    if (!has_layer_norms()) return;
    const char* key = family_.arch == "gpt2" ? "activation_function" : "hidden_act";
    const std::string_view said = json_text(json_at(config_, key));
    const bool silent = said.empty() && family_.arch == "gptneox";  // whose default it is
    if (silent || said == "gelu" || said == "gelu_python") file_.add("fulgurite.gelu.exact", true);
  }

  void sizes() {
    const bool old = family_.arch == "gpt2";
    add("vocab_size", required("vocab_size", nullptr, family_.vocab));
    add("context_length",
        required(old ? "n_positions" : "max_position_embeddings", "n_ctx", family_.context));
    width_ = required(old ? "n_embd" : "hidden_size");
    layers_ = required(old ? "n_layer" : "num_hidden_layers");
    add("embedding_length", width_);
    add("block_count", layers_);
    heads_ = required(old ? "n_head" : "num_attention_heads", nullptr, family_.heads);
    add("attention.head_count", heads_);
    const uint64_t kv = family_.kv_heads == 0 ? heads_ : std::min(family_.kv_heads, heads_);
    // null means as many, where a missing key means the default.
    const uint64_t silent = config_.contains("num_key_value_heads") ? heads_ : kv;
    add("attention.head_count_kv", whole("num_key_value_heads").value_or(silent));
    const std::optional<uint64_t> head_dim = whole("head_dim");
    if (head_dim == 0) fail("head_dim", "is 0");
    head_dim_ = head_dim.value_or(family_.head_dim != 0 ? family_.head_dim : width_ / heads_);
    if (head_dim_ > kMostHead) fail("head_dim", "is " + std::to_string(head_dim_));
    if (head_dim || family_.head_dim != 0) {
      add("attention.key_length", head_dim_);
      add("attention.value_length", head_dim_);
    }
    add("feed_forward_length", ffn_width());
  }

  // GPT-2 files say n_inner only where it is unusual, and some not even then.
  uint64_t ffn_width() const {
    if (family_.arch != "gpt2") return required("intermediate_size");
    if (const auto inner = whole("n_inner")) return *inner;
    const Tensor* up = file_.find_tensor("blk.0.ffn_up.weight");
    return up ? static_cast<uint64_t>(up->rows()) : 4 * width_;
  }

  // And an FFN without a gate.
  bool has_layer_norms() const noexcept {
    const std::string_view arch = family_.arch;
    return arch == "gpt2" || arch == "gptneox" || arch == "phi2" || arch == "starcoder2";
  }

  void norms() {
    if (!has_layer_norms()) {
      const double epsilon = number("rms_norm_eps").value_or(family_.epsilon);
      if (!(static_cast<float>(epsilon) > 0.0F)) fail("rms_norm_eps", "is not positive");
      add("attention.layer_norm_rms_epsilon", epsilon);
      return;
    }
    std::optional<double> epsilon = number("layer_norm_epsilon");
    if (!epsilon) epsilon = number("layer_norm_eps");
    if (!epsilon) epsilon = number("norm_epsilon");
    add("attention.layer_norm_epsilon", epsilon.value_or(family_.epsilon));
  }

  // Up to version 4 of transformers rope_theta and rope_scaling, then rope_parameters, which
  // models with two kinds of layers keep for each kind.
  void rope() {
    const Json& joined = json_at(config_, "rope_parameters");
    const Json& full = json_at(joined, "full_attention");
    const Json& sliding = json_at(joined, "sliding_attention");
    for (const Json* one : {&joined, &full, &sliding}) {
      if (!one->is_null() && !one->is_object())
        fail("rope_parameters", "is no object, or holds none");
    }
    const Json& parameters = full.is_object() ? full : joined;
    const auto base = [&]() -> std::optional<double> {
      if (const auto b = number(parameters, "rope_theta")) return b;
      if (const auto b = number(json_at(config_, "rope_scaling"), "rope_theta")) return b;
      if (const auto b = number("rope_theta")) return b;
      return number("rotary_emb_base");
    };
    base_ = base().value_or(family_.rope_base);
    if (!(base_ > 0.0)) fail("rope_theta", "is not positive");
    const bool half = family_.arch == "phi2" || family_.arch == "glm4";
    const double whole_head = family_.arch == "gptneox" ? 0.25 : half ? 0.5 : 1.0;
    std::optional<double> part = number(parameters, "partial_rotary_factor");
    if (!part) part = number("partial_rotary_factor");
    if (!part) part = number("rotary_pct");
    const double turned = part.value_or(whole_head) * static_cast<double>(head_dim_);
    if (!(turned >= 2.0 && turned <= static_cast<double>(head_dim_))) {
      fail("partial_rotary_factor", "rotates no part of a head");
    }
    rope_dim_ = static_cast<uint64_t>(turned);
    add("rope.freq_base", base_);
    add("rope.dimension_count", rope_dim_);
    const std::string_view local_type = json_text(json_at(sliding, "rope_type"));
    if (!local_type.empty() && local_type != "default") {
      fail("rope_parameters", "scales the layers with a window, which is not supported");
    }
    const double local_base =
        number(sliding, "rope_theta").value_or(number("rope_local_base_freq").value_or(10000.0));
    if (family_.arch == "gemma3" && local_base != 10000.0) add("rope.freq_base_swa", local_base);
    if (family_.arch == "olmo2" && number(sliding, "rope_theta").value_or(base_) != base_) {
      fail("rope_parameters", "has two values of rope_theta, which is not supported here");
    }
    const Json& scaling = json_at(config_, "rope_scaling");
    if (!scaling.is_null() && !scaling.is_object()) fail("rope_scaling", "is no object");
    if (!scaling.is_object()) scaling_key_ = "rope_parameters";
    scale_rope(scaling.is_object() ? scaling : parameters);
  }

  void scale_rope(const Json& scaling) {
    for (const char* key : {"rope_type", "type"}) {
      const Json& value = json_at(scaling, key);
      if (!value.is_null() && !value.is_string())
        fail(scaling_key_, std::string("has a ") + key + " that is no text");
    }
    std::string_view type = json_text(json_at(scaling, "rope_type"));
    if (type.empty()) type = json_text(json_at(scaling, "type"));
    if (type.empty() && !json_at(scaling, "factor").is_null()) fail(scaling_key_, "has no type");
    // "dynamic" scales nothing within the trained context, and there is no other here.
    if (type.empty() || type == "default" || type == "dynamic") return;
    if (type == "longrope" || type == "su") return long_factors(scaling);
    if (type != "linear" && type != "yarn" && type != "llama3") {
      fail(scaling_key_, "is of the type " + model::quoted(type) + ", which is not supported");
    }
    std::optional<double> said = number(scaling, "factor");
    const auto original = whole(scaling, "original_max_position_embeddings");
    if (!said && type == "yarn" && original.value_or(0) > 0) said = growth(*original);
    if (!said) fail(scaling_key_, "has no factor");
    const double factor = *said;
    if (!(factor > 0.0)) fail(scaling_key_, "has a factor that is not positive");
    if (type == "llama3") return llama3_factors(scaling, factor);
    add("rope.scaling.type", std::string(type));
    add("rope.scaling.factor", factor);
    if (original) add("rope.scaling.original_context_length", *original);
    if (type == "yarn") yarn(scaling, factor);
  }

  // How many times the original context the model's is.
  double growth(uint64_t original) const {
    return static_cast<double>(required("max_position_embeddings")) / static_cast<double>(original);
  }

  void yarn(const Json& scaling, double factor) {
    if (json_at(scaling, "truncate") == false)
      fail(scaling_key_, "has truncate off, which is not supported");
    if (const auto fast = number(scaling, "beta_fast")) add("rope.scaling.yarn_beta_fast", *fast);
    if (const auto slow = number(scaling, "beta_slow")) add("rope.scaling.yarn_beta_slow", *slow);
    const auto magnitude = [&](double scale) {
      return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
    };
    const double scale = number(scaling, "mscale").value_or(0.0);
    const double of_all = number(scaling, "mscale_all_dim").value_or(0.0);
    const bool both = scale != 0.0 && of_all != 0.0;
    const double usual = both ? magnitude(scale) / magnitude(of_all) : magnitude(1.0);
    add("rope.scaling.yarn_attn_factor", number(scaling, "attention_factor").value_or(usual));
  }

  // Llama 3.1 divides the low frequencies by `factor`, keeps the high ones and blends between
  // (apply_scaling in github.com/meta-llama/llama-models, models/llama3/model.py).
  void llama3_factors(const Json& scaling, double factor) {
    const double low = number(scaling, "low_freq_factor").value_or(1.0);
    const double high = number(scaling, "high_freq_factor").value_or(4.0);
    const auto context =
        static_cast<double>(whole(scaling, "original_max_position_embeddings").value_or(8192));
    if (!(low > 0.0 && high > low && context > 0.0)) {
      fail(scaling_key_,
           "asks for 0 < low_freq_factor < high_freq_factor and an original context, and has "
           "others");
    }
    std::vector<float> factors;
    for (uint64_t i = 0; i < rope_dim_ / 2; ++i) {
      const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(rope_dim_);
      const double wavelength = 2.0 * std::numbers::pi * std::pow(base_, exponent);
      const double blend = std::clamp((context / wavelength - low) / (high - low), 0.0, 1.0);
      factors.push_back(static_cast<float>(1.0 / ((1.0 - blend) / factor + blend)));
    }
    add_factors("rope_freqs.weight", std::move(factors));
  }

  // Phi-3's two sets of factors, within the original context and beyond it
  // (arXiv:2402.13753).
  void long_factors(const Json& scaling) {
    constexpr uint64_t kOfPhi3 = 4096;
    std::optional<uint64_t> original = whole("original_max_position_embeddings");
    if (!original) original = whole(scaling, "original_max_position_embeddings");
    if (!original && family_.arch == "phi3") original = kOfPhi3;
    if (!original || *original < 2) fail("original_max_position_embeddings", "is missing");
    const double times = growth(*original);
    const double attention =
        times <= 1.0 ? 1.0
                     : std::sqrt(1.0 + std::log(times) / std::log(static_cast<double>(*original)));
    add("rope.scaling.original_context_length", *original);
    add("rope.scaling.attn_factor", number(scaling, "attention_factor").value_or(attention));
    for (const auto& [key, name] : {std::pair{"long_factor", "rope_factors_long.weight"},
                                    std::pair{"short_factor", "rope_factors_short.weight"}}) {
      const Json& list = json_at(scaling, key);
      if (!list.is_array() || list.size() != rope_dim_ / 2) {
        fail(key, "has not half as many numbers as a head rotates");
      }
      std::vector<float> factors;
      for (const Json& value : list) {
        if (!value.is_number()) fail(key, "holds something that is no number");
        factors.push_back(value.get<float>());
      }
      add_factors(name, std::move(factors));
    }
  }

  void add_factors(const std::string& name, std::vector<float> factors) {
    const auto n = static_cast<int64_t>(factors.size());
    if (!add_owned(file_, name, {n, 1, 1, 1}, std::move(factors))) {
      file_.fail("tensor " + model::quoted(name) + " is there already");
    }
  }

  void windows_and_caps() {
    const std::string_view arch = family_.arch;
    const bool gemma = arch == "gemma2" || arch == "gemma3";
    const std::string_view type = family_.model_type;
    const bool in_some_layers = gemma || type == "olmo3";
    if (type == "mistral" || type == "mixtral" || arch == "phi3" || arch == "starcoder2" ||
        in_some_layers) {
      // null means none, where a missing key means the default.
      const bool silent = !config_.contains("sliding_window");
      const uint64_t window = silent ? family_.window : whole("sliding_window").value_or(0);
      if (window > 0 || gemma) add("attention.sliding_window", window);
    }
    if (!in_some_layers) return;
    const std::optional<uint64_t> pattern =
        arch == "gemma3" ? whole("sliding_window_pattern") : std::nullopt;
    const size_t usual = arch == "gemma2" ? 2 : arch == "gemma3" ? 6 : 4;
    if (std::vector<bool> windowed = layer_types(); !windowed.empty()) {
      bool as_usual = true;
      for (size_t l = 0; l < windowed.size(); ++l) {
        as_usual = as_usual && windowed[l] == ((l + 1) % usual != 0);
      }
      if (!as_usual) add("attention.sliding_window_pattern", std::move(windowed));
    } else if (pattern) {
      if (*pattern == 0) fail("sliding_window_pattern", "is 0");
      add("attention.sliding_window_pattern", *pattern);
    }
    if (!gemma) return;
    cap("attn_logit_softcapping");
    cap("final_logit_softcapping");
    const double scalar = number("query_pre_attn_scalar").value_or(256.0);
    if (!(scalar > 0.0)) fail("query_pre_attn_scalar", "is not positive");
    add("attention.scale", 1.0 / std::sqrt(scalar));
  }
  // null means none, where a missing key means the default, which is GGUF's too.
  void cap(const char* key) {
    if (config_.contains(key)) add(key, number(key).value_or(0.0));
  }

  void scales() {
    for (const auto& [key, name] : {std::pair{"embedding_multiplier", "embedding_scale"},
                                    std::pair{"residual_multiplier", "residual_scale"},
                                    std::pair{"attention_multiplier", "attention.scale"},
                                    std::pair{"logits_scaling", "logit_scale"}}) {
      const double scale = number(key).value_or(1.0);
      if (!(static_cast<float>(scale) > 0.0F)) fail(key, "is not positive");
      add(name, scale);
    }
  }

  void experts() {
    std::optional<uint64_t> count = whole("num_local_experts");
    if (!count) count = whole("num_experts");
    if (!count && family_.model_type == "mixtral") count = 8;
    if (!count || *count == 0) return;
    const Json& dense = json_at(config_, "mlp_only_layers");
    if (dense.is_array() && !dense.empty()) fail("mlp_only_layers", "is not supported");
    if (whole("decoder_sparse_step").value_or(1) != 1) {
      fail("decoder_sparse_step", "is not 1, which is not supported");
    }
    add("expert_count", *count);
    add("expert_used_count", required("num_experts_per_tok"));
    const bool shared = family_.arch == "qwen2moe";
    if (shared || family_.arch == "qwen3moe") {
      add("expert_feed_forward_length", required("moe_intermediate_size"));
    }
    if (shared) {
      add("expert_shared_feed_forward_length", required("shared_expert_intermediate_size"));
    }
    // Mixtral knows no such key.
    add("expert_weights_norm",
        family_.arch == "llama" || boolean("norm_topk_prob").value_or(false));
  }

  const Json& config_;
  const Family& family_;
  ModelFile& file_;
  const char* scaling_key_ = "rope_scaling";  // the one that holds the scaling
  uint64_t width_ = 0;
  uint64_t layers_ = 0;
  uint64_t heads_ = 1;
  uint64_t head_dim_ = 0;
  uint64_t rope_dim_ = 0;
  double base_ = 10000.0;
};

}  // namespace

const Json& hf_text_config(const Json& config) noexcept {
  const Json& inner = json_at(config, "text_config");
  return inner.is_object() && find_family(inner) ? inner : config;
}

std::string_view hf_architecture(const Json& config, const ModelFile& file) {
  const Family* family = find_family(config);
  if (family) return family->arch;
  const std::string_view type = json_text(json_at(config, "model_type"));
  if (type.empty()) file.fail("config.json names no model_type", "is it a folder of a model?");
  std::string known;
  for (const Family& f : kFamilies) {
    known += (known.empty() ? "known: " : ", ") + std::string(f.model_type);
  }
  file.fail("the architecture " + model::quoted(type) + " is not supported", known);
}

std::optional<bool> hf_says_tied(const Json& document) noexcept {
  for (const Json* config : {&hf_text_config(document), &document}) {
    const Json& tied = json_at(*config, "tie_word_embeddings");
    if (tied.is_boolean()) return tied.get<bool>();
  }
  return std::nullopt;
}

bool hf_ties_embeddings(const Json& document, std::string_view arch) noexcept {
  if (const auto said = hf_says_tied(document)) return *said;
  const auto at = std::find_if(kFamilies.begin(), kFamilies.end(),
                               [&](const Family& family) { return family.arch == arch; });
  return at != kFamilies.end() && at->tied;
}

void add_hf_config(const Json& config, ModelFile& file) {
  hf_architecture(config, file);
  Reader(config, *find_family(config), file).read();
}

}  // namespace model
