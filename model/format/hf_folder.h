// A model as Hugging Face lays it out in a folder -> the metadata and tensors of a GGUF file.
//
//   config.json                    the shape; required
//   model.safetensors              the weights, or
//   model.safetensors.index.json   {"weight_map": {tensor: file}} and the files that it names
//   tokenizer.json, tokenizer_config.json, chat_template.jinja    optional
//
// Tensors point into the mapped files; copied are only vectors that are not F32, Gemma's norms
// (stored as w - 1), GPT-2's matrices (stored with rows for inputs) and GPT-NeoX's fused query,
// key and value (stored head by head). Two things differ from a GGUF file:
//   "fulgurite.rope.halves" = true   (architecture llama) rows of q and k are as Hugging Face
//       has them: a head's pair i is (i, i + D/2), where GGUF's llama has (2 i, 2 i + 1)
//   "blk.N.ffn_gate.E.weight"        experts one by one, where GGUF stacks them in ffn_gate_exps
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/hf_tokenizer.h"
#include "model/format/model_file.h"

namespace model {

// True for a folder that holds a config.json.
bool is_hf_folder(const std::string& path) noexcept;

// The files with such a folder's weights, by name, there or not. Throws Error (bad_model).
std::vector<std::string> hf_weight_files(const std::string& path);

// Throws Error (bad_model) naming the file and the mend.
ModelFile open_hf_folder(const std::string& path);

// The same from memory, which must outlive the result.
struct HfShard {
  std::string name;
  std::span<const std::byte> bytes;
  std::vector<std::string> tensors = {};  // that an index expects in it
};
struct HfParts {
  std::string name;  // of the folder, as errors show it
  std::string_view config;
  HfTokenizer tokenizer;
  std::vector<HfShard> shards;
};
ModelFile parse_hf(const HfParts& parts);

// The shape that a config.json alone describes, no weights asked. name: the file, as errors show
// it. Throws Error (bad_model).
Config read_hf_config(std::string_view config, const std::string& name);
// The same from a folder, or from the file itself.
Config open_hf_config(const std::string& path);

// The files that an index names and the tensors that it expects in each. Throws Error (bad_model)
// for a name that is not a plain one in the same folder.
std::map<std::string, std::vector<std::string>> shards_of_index(std::string_view index,
                                                                const std::string& name);

}  // namespace model
