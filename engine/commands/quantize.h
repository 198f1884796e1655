// `fulgurite quantize`: stores a model's weights in fewer bits.
#pragma once

#include <cstddef>
#include <ostream>
#include <span>
#include <string>

namespace engine::commands {

struct QuantizeOptions {
  std::string input;   // anything that opens as a model
  std::string output;  // a GGUF file; must not be the input
  std::string type;    // F32 F16 BF16 Q8_0 Q6_K Q5_0 Q4_0 Q4_K, in upper or lower case
  int threads = 0;     // 0: as many as the machine has
  std::span<const std::byte> builtin = {};  // what the input "builtin" means
};

// Which tensors become what follows llama.cpp's llama-quantize (tools/quantize, src/llama-quant),
// so that the files are of the same make:
//   - matrices (2-D and 3-D *.weight) become `type`; vectors, norms, biases, routers and position
//     embeddings stay as they are;
//   - rows that are no multiple of 256 become Q5_0 instead of Q4_K and Q8_0 instead of Q6_K, rows
//     that are no multiple of 32 either become F16;
//   - below 8 bits the output matrix (the token embedding, where that is tied) becomes Q6_K;
//   - Q4_K is the mix Q4_K_M: values and ffn_down are Q6_K in the layers that matter most.
// Progress goes to stderr when that is a terminal; one line with the sizes to `out`.
// Returns the exit code; throws Error (usage, bad_model, failed). Heap: the metadata and a few MB.
int quantize(const QuantizeOptions& options, std::ostream& out);

}  // namespace engine::commands
