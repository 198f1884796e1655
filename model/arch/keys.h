// A family's view of the metadata: "<architecture>.<name>", every value range-checked.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"
#include "model/format/model_file.h"

namespace model {

class Keys {
 public:
  explicit Keys(const ModelFile& file);

  // What nearly every family has: sizes, vocabulary, norm epsilon (of `norm`), rotation, experts.
  // Refuses keys that would change the numbers and that no family here reads. Of one that knows no
  // rotation those about it mean nothing.
  struct Ways {
    bool rotates = true;
    bool scales = false;  // the family reads embedding_scale, residual_scale and logit_scale itself
    bool mixes = false;   // and what routers of large mixtures have: read_large_mixture()
    bool tempers = false;  // and attention.temperature_scale, and YaRN may have a multiplier
    bool latent = false;   // and what its attention keeps: read_latent()
  };
  Config common(NormKind norm, const Ways& ways) const;
  Config common(NormKind norm) const { return common(norm, Ways()); }

  bool has(const char* name) const { return file_.find(key(name)) != nullptr; }
  void require(const char* name) const;  // throws where it is missing
  int64_t integer(const char* name, int64_t most) const;
  int64_t integer(const char* name, int64_t most, int64_t fallback) const;
  // > 0 and finite; fallback is returned unchecked.
  float positive(const char* name, float fallback) const;
  // The same, or 0, which stands for none.
  float positive_or_none(const char* name, float fallback) const;
  // A factor, 1 where the file has 0, and the fallback where it has none.
  float scale(const char* name, float fallback = 1.0F) const;
  // 1 / a positive number, or 1 / fallback; throws where that is no finite number.
  float divisor(const char* name, float fallback = 1.0F) const;
  // Config::temperature_scale and temperature_length.
  void read_temperature(Config& c) const;
  bool boolean(const char* name, bool fallback) const;
  // Throws where the file has another number than the one that is supported.
  void refuse_other(const char* name, int64_t supported) const;
  // Whether the file gives positions in several directions (M-RoPE, arXiv:2409.12191), which are
  // the same where text is read: "<architecture>.rope.dimension_sections", as llama.cpp understands
  // it.
  bool has_directions() const;
  // Of FFNs without a gate: GGUF means the tanh formula, folders of Hugging Face may not.
  FfnKind gelu() const;
  // Config::window: "<architecture>.attention.sliding_window". Config::window_period:
  // "<architecture>.attention.sliding_window_pattern", which is the period or says of every layer
  // whether it is windowed. Where the file is silent, the usual ones.
  void read_windows(Config& c, int64_t usual = 0, int64_t usual_period = 0) const;

  // Neurons of all experts together that always work, where the file gives them so, or 0.
  int64_t neurons_of_shared() const;
  // F of an FFN without experts, which a mixture's file may leave out.
  int64_t dense_width() const;
  // Of a mixture whose early files say only how wide all experts at work are together (llama.cpp).
  int64_t expert_width(const Config& c) const;

  // Of a mixture as DeepSeek began them (Dai et al. 2024, arXiv:2401.06066): many small experts, of
  // which some always work, and leading layers without; layers behind the last, which guess more
  // tokens at once, are left out. `usual`: the router of files that do not say which they have.
  // together: the shared experts' width is that of all of them, and 0 where a file says none.
  void read_large_mixture(Config& c, RouterKind usual, bool together = false) const;

  // Of multi-head latent attention (DeepSeek-V2, arXiv:2405.04434), in files that keep W_UK and
  // W_UV by themselves and in those of before, which have them in one matrix.
  void read_latent(Config& c) const;

  // GGUF files of a family whose models have heads of their own lack one only by mistake; folders
  // of Hugging Face say themselves whether it is the embedding.
  bool own_head() const noexcept { return is_gguf(); }

  const ModelFile& file() const noexcept { return file_; }

 private:
  std::string key(const std::string& name) const { return arch_ + "." + name; }
  bool is_gguf() const noexcept { return file_.format().starts_with("GGUF"); }
  int64_t vocabulary() const;
  int64_t same_in_all_layers(const char* name, int64_t most) const;
  int64_t same_in_all_layers(const char* name, int64_t most, int64_t fallback) const;
  std::vector<int64_t> whole_numbers(const char* name) const;  // empty: no list of them
  int64_t window_period(int64_t layers, int64_t fallback) const;
  void refuse_other_length(const char* name, size_t entries, int64_t layers) const;
  void read_rope(Config& c) const;
  float read_yarn(Config& c) const;
  void read_experts(Config& c) const;
  int64_t gating_function() const;
  bool softmax_of_chosen() const;
  RouterKind router_kind(RouterKind usual) const;
  void read_dense_layers(Config& c) const;
  void read_groups(Config& c) const;
  void leave_out_guessing_layers(Config& c) const;
  void refuse_scale(const char* name) const;
  void refuse_unknown(const Ways& ways) const;

  const ModelFile& file_;
  std::string arch_;
};

}  // namespace model
