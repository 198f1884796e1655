// The tensors of a decoder, under one set of names for all families. Matrices are views of the
// file; norms, biases and very small matrices are float32 copies where the file holds another type.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "model/config.h"
#include "model/format/model_file.h"
#include "model/kernels/matmul.h"

namespace model {

struct Norm {
  const float* gain = nullptr;  // nullptr: there is no such norm
  const float* bias = nullptr;  // (C) or nullptr
};

// gate is empty where the family has none.
struct Ffn {
  Linear gate;  // (F, C)
  Linear up;    // (F, C)
  Linear down;  // (C, F)

  size_t bytes() const noexcept {
    return (gate.empty() ? 0 : gate.weight.bytes()) + up.weight.bytes() + down.weight.bytes();
  }
};

struct Layer {
  Norm attn_norm;       // (C)
  Linear wq;            // (H*D, C)
  Linear wk;            // (K*D, C)
  Linear wv;            // (K*D, C)
  Norm q_norm, k_norm;  // (D), or (H*D) and (K*D)
  // Of latent attention, without wv: wq is (H*query_width, query_rank or C), q_norm (query_rank),
  // k_norm (R), and of every head:
  Linear wq_down;                 // (query_rank, C), or empty
  std::vector<Linear> k_up;       // W_UK^T (R, query_width - rope_dim), or W_UK where it is ...
  bool k_up_transposed = false;   // ... stored so
  std::vector<Linear> v_up;       // W_UV (head_value_dim, R)
  const float* sinks = nullptr;   // (H): AttentionHead::sink of each, or nullptr
  Linear wo;                      // (C, H*D), or as wide as what it reads of each head
  Norm attn_post_norm;            // (C)
  Norm ffn_norm;                  // (C)
  Ffn ffn;                        // dense, or the expert that always works
  Linear router;                  // (E, C)
  const float* choice = nullptr;  // (E): added to probabilities to choose by, or nullptr
  Linear shared_gate;             // (1, C), or empty
  std::vector<Ffn> experts;       // (E)
  Norm ffn_post_norm;             // (C)
};

struct Weights {
  Tensor token_embd;     // (V, C)
  Tensor position_embd;  // (T, C), or without data
  std::vector<Layer> layers;
  Norm output_norm;  // (C)
  Linear output;     // (V, C)
  // Factors that divide the frequencies of rotation, (rope_dim / 2) each; nullptr: ones.
  const float* rope_factors = nullptr;
  const float* rope_factors_long = nullptr;

  std::deque<std::vector<float>> copies;
};

// Of "blk.3.attn_q.weight" 3; -1 where the name is of no layer, or of none that a model has.
int64_t layer_of(std::string_view tensor_name) noexcept;

// What the norm before the FFN is called in files: some families' name it by its place.
const char* ffn_norm_name(const Config& c) noexcept;

// Reads the tensors that the configuration asks for. problems: takes a sentence for each that is
// missing, misshapen or of a type that the kernels cannot read, and for each in the file that has
// no place; a thousand of them at most. nullptr: the first one is thrown as Error (bad_model).
Weights read_weights(const ModelFile& file, const Config& config,
                     std::vector<std::string>* problems);

}  // namespace model
