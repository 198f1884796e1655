// What a model's metadata says about its shape. Letters as in model/tensor.h.
#pragma once

#include <cstdint>
#include <string>

namespace model {

struct Config {
  std::string arch = "llama";  // general.architecture
  std::string name;            // general.name, may be empty
  int64_t n_layer = 0;         // L
  int64_t n_embd = 0;          // C
  int64_t n_head = 0;          // H
  int64_t n_head_kv = 0;       // K, divides H
  int64_t head_dim = 0;        // D
  int64_t n_ff = 0;            // F
  int64_t n_vocab = 0;         // V
  int64_t n_ctx = 0;           // longest context the model was trained for
  int64_t rope_dim = 0;        // leading part of a head that is rotated, even, <= D
  float rope_base = 10000.0F;  // RoPE theta (Su et al. 2021, arXiv:2104.09864)
  float norm_eps = 1e-5F;      // epsilon of RMSNorm (Zhang & Sennrich 2019)
  bool tied = true;            // no output.weight: token_embd.weight serves for both
};

}  // namespace model
