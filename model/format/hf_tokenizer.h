// tokenizer.json and tokenizer_config.json of a Hugging Face folder -> the tokenizer.* keys
// that GGUF files have (format: github.com/huggingface/tokenizers, its serialisation).
//
//   BPE over bytes (ByteLevel)        -> tokenizer.ggml.model "gpt2", with merges and the name
//                                        of the pre-tokenizer, recognised by its patterns
//   BPE with U+2581 for spaces        -> "llama", with scores: minus the rank of the merge that
//   (Llama 2, Gemma, Phi-3)              makes the token, so that both merge in the same order
//   anything else                     -> its own type, for make_tokenizer() to refuse by name
//
// What GGUF has no keys for lies under fulgurite.tokenizer, and may be missing:
//   normalized, lstrip, rstrip,       ids of added tokens with this setting: looked for in the
//   single_word                         normalised text, behind the others; see SpecialTexts::Rule
//   ignore_merges                     whether a word that is a token needs no merges
//   add_prefix_space                  ByteLevel's: a space before a run that begins with none
//   prepend                           Metaspace's: the same, "always" or before the "first" run
//   split_words                       Metaspace's: no token reaches over the space of the next word
//   byte_fallback                     whether bytes stand in for characters that are no tokens
//   fuse_unknown                      whether a run of what is no token is one unknown token
//   merges                            of "llama": ids, left and right in turn
#pragma once

#include <string_view>

#include "model/format/json.h"
#include "model/format/model_file.h"

namespace model {

struct HfTokenizer {
  std::string_view tokenizer;         // tokenizer.json; empty: the folder has none
  std::string_view tokenizer_config;  // tokenizer_config.json; may be empty
  std::string_view chat_template;     // chat_template.jinja; may be empty
};

// Adds the keys to `file`, whose "<arch>.vocab_size" is n_vocab; short vocabularies are filled
// up with unused tokens "[PAD<id>]". Without tokenizer.json the model is "no_vocab".
// Throws Error (bad_model): malformed JSON, ids that are missing, double or out of range.
void add_hf_tokenizer(const HfTokenizer& source, const Json& config, int64_t n_vocab,
                      ModelFile& file);

}  // namespace model
