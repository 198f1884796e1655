// Trained weights as GGUF files that llama.cpp can load too, and a run's state beside them.
//
//   state file = "FULGSTAT" | u32 version | u32 1: Muon, 2: AdamW alone, 0: not said
//                | i64 L C H K F V ctx, tied | u64 seed
//                | i64 step | i64 best step | f64 best loss | i64 n
//                | f32 weights[n], moment1[n], moment2[n], best[n]
//                | f64 written loss | u64 text | u64 m | char settings[m]   (not in version 1)
//                | u64 FNV-1a of all before
// Little-endian, in the order of for_each_tensor (model/train/weights.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/dtype.h"
#include "model/format/gguf.h"
#include "model/train/parameters.h"
#include "model/train/trainer.h"

namespace model::train {

// Throws Error (failed) when a file cannot be written at `path`: a directory, a missing folder,
// no permission. Leaves no file behind that was not there.
void check_writable(const std::string& path);

// Architecture "llama" with the byte tokenizer: token id = byte, a byte-level BPE whose list of
// merges is empty. Matrices have type `dtype`, norms are F32. Whole or absent; throws Error.
// config.n_vocab must be 256.
void save_gguf(const Weights& weights, const Config& config, const std::string& path, DType dtype);

// Weights of any llama file whose types the kernels read, as float32. Throws Error (bad_model).
Parameters load_gguf(const ModelFile& file);

struct RunState {
  Trainer::State trainer;
  uint64_t seed = 0;
  bool muon = false;  // the moments are those of Muon, where it is used
  double best_loss = 0.0;
  int64_t best_step = -1;          // -1: nothing was validated yet
  std::optional<Parameters> best;  // weights at best_step
  double written_loss = 0.0;       // of what the model's file holds: a stop may have left better
  uint64_t text = 0;               // hash of what was trained on; 0: an older state, not known
  std::string settings{};          // the rest of what the run was told, "--lr 0.003\n..."
};

// Whole or absent; throws Error (failed).
void save_state(const RunState& state, const std::string& path);

// Throws Error (usage) when the file is missing, damaged, of another version, or of another
// shape than `config`, another seed or another optimiser; the message says which.
RunState load_state(const std::string& path, const Config& config, uint64_t seed, bool muon);

}  // namespace model::train
