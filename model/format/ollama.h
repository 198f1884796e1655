// What files that Ollama converted itself say otherwise than those of llama.cpp's converter, by
// whose names and habits everyone else here goes.
#pragma once

#include "model/format/model_file.h"

namespace model {

inline constexpr const char* kOllama = "fulgurite.ollama";  // true: read as Ollama reads it

// The models below; other files stay as they are. Adds kOllama, so that everyone sees that the file
// was read so.
void mend_file_of_ollama(ModelFile& file);

// Gemma 3 as Ollama's store has it: takes the names of its keys for the usual ones, adds what its
// own reader takes for granted, cuts the vocabulary to the rows of token_embd (behind them lie
// marks for pictures), and leaves out the part that sees, as is done with folders of Hugging Face.
// Source: github.com/ollama/ollama, convert/convert_gemma3.go and
// model/models/gemma3/model_text.go.
void mend_gemma3_of_ollama(ModelFile& file);

// gpt-oss as Ollama's store has it since October 2025 (architecture "gptoss"): other names of keys
// and tensors, and what its own reader takes for granted. Earlier files hold experts in a type that
// is no longer one.
// Source: github.com/ollama/ollama, convert/convert_gptoss.go and
// llama/compat/llama-ollama-compat.cpp.
void mend_gpt_oss_of_ollama(ModelFile& file);

// Mistral 3 as Ollama's store has it: other names of keys, a scaling of no type where there is
// none, and the part that sees. Source: github.com/ollama/ollama, convert/convert_mistral.go and
// convert_mistral_causal.go.
void mend_mistral3_of_ollama(ModelFile& file);

}  // namespace model
