// The tensors of a model as a GGUF file of its family has them. Folders of Hugging Face keep every
// expert by itself, and the rows of Llama's W_q and W_k in halves (i, i + D/2) where GGUF has pairs
// (2i, 2i + 1).
#pragma once

#include <string>
#include <vector>

#include "model/format/model_file.h"
#include "model/kernels/thread_pool.h"

namespace engine::commands {

struct OutputTensor {
  model::Tensor shape;  // name, type and sizes; data only where it is a tensor of the file
  std::vector<const model::Tensor*> parts;  // which lie one after the other
  int64_t head_width = 0;                   // > 0: rows of each head go from halves to pairs
};

// In the file's order; a stack stands where its first part does. The tensors are the file's.
std::vector<OutputTensor> gguf_tensors(const model::ModelFile& file);

// "blk.0.ffn_up_exps.weight" of "blk.0.ffn_up.7.weight"; empty: a tensor that is no expert's own.
std::string stack_of(const std::string& name);

// Whether a key tells of a layout that gguf_tensors() has undone.
bool tells_of_layout(const std::string& key);

// Rows [first, first + n) as `type`; as model::convert_rows.
void convert_rows(const OutputTensor& tensor, int64_t first, int64_t n, model::DType type,
                  std::byte* out, model::ThreadPool& pool);

}  // namespace engine::commands
