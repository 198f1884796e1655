// config.json of a Hugging Face folder -> the keys that GGUF files have.
#pragma once

#include <optional>
#include <string_view>

#include "model/format/json.h"
#include "model/format/model_file.h"

namespace model {

// Adds general.architecture and everything that read_config() asks for to `file`, which holds
// the tensors already: where config.json says less than the shapes do, they decide. Adds the
// tensors rope_freqs.weight (scaling of Llama 3.1) and rope_factors_{long,short}.weight (of
// Phi-3) where config.json has their numbers.
// Throws Error (bad_model) naming the key, for values out of range and for settings that the
// architecture's forward pass does not know: passing over them would give wrong numbers.
void add_hf_config(const Json& config, ModelFile& file);

// GGUF's name of the architecture in config.json. Throws Error (bad_model) with the known ones.
std::string_view hf_architecture(const Json& config, const ModelFile& file);

// The part of config.json that describes the text model: models that also see keep it apart.
const Json& hf_text_config(const Json& config) noexcept;

// What config.json says of that itself, if it does.
std::optional<bool> hf_says_tied(const Json& document) noexcept;

// Whether lm_head is the embedding, so that a copy of it in the file means nothing. document: the
// whole config.json.
bool hf_ties_embeddings(const Json& document, std::string_view arch) noexcept;

}  // namespace model
