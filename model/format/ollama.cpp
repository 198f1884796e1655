#include "model/format/ollama.h"

#include <algorithm>
#include <map>
#include <string>
#include <variant>

namespace model {

namespace {

constexpr const char* kEpsilon = "gemma3.attention.layer_norm_rms_epsilon";
constexpr const char* kGlobalBase = "gemma3.rope.global.freq_base";
constexpr const char* kContext = "gemma3.context_length";
constexpr const char* kSoftCap = "gemma3.final_logit_softcapping";
// What the models of 4, 12 and 27 B reach, eight times as far as they were trained at first. Early
// files say less. The 1B model is not stretched.
constexpr uint64_t kStretched = 131072;

bool is_family(const ModelFile& file, const char* name) {
  const auto* arch = file.find("general.architecture");
  return arch != nullptr && *arch == MetaValue(std::string(name));
}

bool is_stretched(const ModelFile& file) {
  const auto number = [&](const char* key) {
    const auto* value = std::get_if<uint64_t>(file.find(key));
    return value != nullptr ? *value : 0;  // find_problems() names it
  };
  const uint64_t layers = number("gemma3.block_count");
  const uint64_t context = number(kContext);
  const uint64_t window = number("gemma3.attention.sliding_window");
  const bool known = layers == 34 || layers == 48 || layers == 62;
  return context >= kStretched || (known && window < context);
}

bool is_vision(const Tensor& tensor) {
  return tensor.name.starts_with("v.") || tensor.name.starts_with("mm.");
}

bool is_of_ollama(const ModelFile& file) {
  return !file.find(kEpsilon) || file.find(kGlobalBase) ||
         file.find("gemma3.mm.tokens_per_image") ||
         std::any_of(file.tensors().begin(), file.tensors().end(), is_vision);
}

void shorten(ModelFile& file, const char* key, size_t n) {
  MetaValue* value = file.find_to_mend(key);
  if (value == nullptr) return;
  const auto cut = [&](auto* list) {
    if (list != nullptr && list->size() > n) list->resize(n);
  };
  cut(std::get_if<std::vector<std::string>>(value));
  cut(std::get_if<std::vector<double>>(value));
  cut(std::get_if<std::vector<int64_t>>(value));
  cut(std::get_if<std::vector<uint64_t>>(value));
}

}  // namespace

void mend_gemma3_of_ollama(ModelFile& file) {
  if (!is_family(file, "gemma3") || !is_of_ollama(file)) return;
  file.add(kOllama, true);
  file.add(kEpsilon, 1e-6);
  file.add("tokenizer.ggml.add_space_prefix", false);  // as Gemma's own tokenizer
  file.add("gemma3.rope.freq_base", file.get_float(kGlobalBase, 1e6));
  // The reader that this name belongs to caps nothing.
  if (file.find(kGlobalBase) && file.find(kSoftCap)) *file.find_to_mend(kSoftCap) = 0.0;
  if (!file.find("gemma3.rope.scaling.type") && !file.find("gemma3.rope.scaling.factor") &&
      is_stretched(file)) {
    file.add("gemma3.rope.scaling.type", std::string("linear"));
    file.add("gemma3.rope.scaling.factor", 8.0);
    MetaValue& context = *file.find_to_mend(kContext);
    context = std::max(std::get<uint64_t>(context), kStretched);
  }
  if (const Tensor* embedding = file.find_tensor("token_embd.weight")) {
    const auto rows = static_cast<size_t>(embedding->rows());
    for (const char* key :
         {"tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"}) {
      shorten(file, key, rows);
    }
  }
  file.leave_out_tensors(is_vision);
}

void mend_gpt_oss_of_ollama(ModelFile& file) {
  const std::string theirs = "gptoss.";
  if (!is_family(file, "gptoss")) return;
  if (file.find_tensor("blk.0.ffn_gate_up_exps.weight"))
    file.fail("is an early file of Ollama's", "ollama pull it again");
  file.add(kOllama, true);
  *file.find_to_mend("general.architecture") = std::string("gpt-oss");
  file.rename_keys([&](const std::string& key) {
    return key.starts_with(theirs) ? "gpt-oss." + key.substr(theirs.size()) : key;
  });
  file.rename_tensors([](const std::string& name) {
    const auto ending = [&](std::string_view old, std::string_view usual) {
      return name.substr(0, name.size() - old.size()) + std::string(usual);
    };
    for (const auto& [old, usual] :
         {std::pair{".attn_out.weight", ".attn_output.weight"},
          std::pair{".attn_out.bias", ".attn_output.bias"},
          std::pair{".attn_sinks", ".attn_sinks.weight"},
          std::pair{".ffn_norm.weight", ".post_attention_norm.weight"}}) {
      if (name.ends_with(old)) return ending(old, usual);
    }
    return name;
  });
  if (const Tensor* gate = file.find_tensor("blk.0.ffn_gate_exps.weight"))
    file.add("gpt-oss.expert_feed_forward_length", static_cast<uint64_t>(gate->ne[1]));
  if (file.find("gpt-oss.rope.scaling.factor"))
    file.add("gpt-oss.rope.scaling.type", std::string("yarn"));
  file.add("tokenizer.ggml.pre", std::string());
  *file.find_to_mend("tokenizer.ggml.pre") = std::string("gpt-4o");  // whatever they say
}

void mend_mistral3_of_ollama(ModelFile& file) {
  if (!is_family(file, "mistral3")) return;
  const std::map<std::string, std::string> usual = {
      {"mistral3.rope.scaling.beta_fast", "mistral3.rope.scaling.yarn_beta_fast"},
      {"mistral3.rope.scaling.beta_slow", "mistral3.rope.scaling.yarn_beta_slow"},
      {"mistral3.rope.scaling.mscale_all_dim", "mistral3.rope.scaling.yarn_log_multiplier"},
      {"mistral3.rope.scaling_beta", "mistral3.attention.temperature_scale"}};
  const bool theirs = std::any_of(usual.begin(), usual.end(),
                                  [&](const auto& names) { return file.find(names.first); }) ||
                      std::any_of(file.tensors().begin(), file.tensors().end(), is_vision);
  if (!theirs) return;
  file.add(kOllama, true);
  file.rename_keys([&](const std::string& key) {
    const auto at = usual.find(key);
    return at == usual.end() ? key : at->second;
  });
  MetaValue* type = file.find_to_mend("mistral3.rope.scaling.type");
  if (type != nullptr && *type == MetaValue(std::string())) *type = std::string("none");
  file.leave_out_tensors(is_vision);
}

void mend_file_of_ollama(ModelFile& file) {
  mend_gemma3_of_ollama(file);
  mend_mistral3_of_ollama(file);
  mend_gpt_oss_of_ollama(file);
}

}  // namespace model
