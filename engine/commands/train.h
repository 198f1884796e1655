// `fulgurite train`: a text in, a model file out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace engine::commands {

// The defaults are the recipe of the built-in model.
struct TrainOptions {
  std::string text;    // trained on its first 90 %, validated on the rest; one token a byte
  std::string output;  // model.gguf: always the weights of the best validation so far
  std::string name = "fulgurite";  // general.name
  bool f32 = false;                // matrices as F32 instead of F16

  int64_t layers = 6;
  int64_t heads = 4;
  int64_t kv_heads = 0;  // 0: half of heads where that is whole
  int64_t dim = 128;
  int64_t ffn = 0;    // 0: 27/16 of dim, rounded up to a multiple of 8
  int64_t ctx = 256;  // context length, and tokens of a training sequence

  int64_t steps = 10000;
  int64_t batch = 8;       // sequences a step
  int64_t full_every = 4;  // one step in this many uses windows of ctx tokens, the others twice as
                           // many of half that length; 1: always whole windows
  bool muon = true;  // Muon for the matrices of the layers, AdamW for the rest; or AdamW alone
  double momentum = 0.95;  // of Muon
  double lr = 3e-3;
  double min_lr = 0.0;
  int64_t warmup = -1;  // steps; -1: 200, or a tenth of a short run
  double weight_decay = 0.1;
  double dropout = 0.1;
  double clip = 1.0;
  double beta1 = 0.9;
  double beta2 = 0.98;
  uint64_t seed = 1;
  int threads = 0;  // 0: as many as the machine has

  int64_t eval_every = 500;   // steps between validations, each over the whole validation part
  int64_t eval_window = 128;  // or --ctx, if that is less
  int64_t log_every = 50;
  std::string log;                        // JSON lines, one a report; empty: none
  std::string checkpoints;                // folder for step-NNNNNN.gguf (F16); empty: none
  std::vector<int64_t> checkpoint_steps;  // steps at which one is kept, 0 being the start
  std::string resume;  // a model whose MODEL.state lies beside it; empty: start afresh
};

// Trains until options.steps are done or Ctrl-C (SIGINT, SIGTERM) asks to stop. Progress goes to
// stderr. After every validation, and at the end, output + ".state" holds all that --resume
// needs to go on as if nothing had happened. Outputs are checked before training begins; a model
// or a run that is there already is refused unless it is the one to resume.
// Returns the exit code; throws Error (usage, failed).
int train(const TrainOptions& options);

}  // namespace engine::commands
