#include "engine/commands/quantize.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

#include "engine/commands/gguf_layout.h"
#include "engine/loaded_model.h"
#include "engine/stop_signals.h"
#include "engine/threads.h"
#include "model/arch/weights.h"
#include "model/error.h"
#include "model/format/gguf.h"
#include "model/quantize.h"
#include "model/train/checkpoint.h"
#include "model/utf8.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;
using model::DType;
using model::layer_of;
using model::Tensor;

namespace {

// file_type: the number under general.file_type (llama.cpp's llama_ftype).
struct Target {
  DType type;
  uint64_t file_type;
};
constexpr std::array kTargets = {Target{DType::kF32, 0},   Target{DType::kF16, 1},
                                 Target{DType::kBF16, 32}, Target{DType::kQ8_0, 7},
                                 Target{DType::kQ6K, 18},  Target{DType::kQ5_0, 8},
                                 Target{DType::kQ4_0, 2},  Target{DType::kQ4K, 15}};

Target target_of(const std::string& text) {
  // llama-quantize's name of the same mix.
  const bool mix = text == "Q4_K_M" || text == "q4_k_m";
  const auto type = model::dtype_from_name(mix ? "Q4_K" : text);
  std::string known;
  for (const Target& target : kTargets) {
    if (type == target.type) return target;
    known += (known.empty() ? "" : ", ") + model::dtype_name(target.type);
  }
  throw Error(ExitCode::kUsage, "is no type that can be written", "'" + text + "'", known);
}

int64_t block_of(DType type) {
  return model::dtype_block(type).elements;
}

// What the choice of a tensor's type needs to know of its model.
struct Layout {
  int64_t n_layer = 0;
  int64_t n_expert = 0;
  bool tied = true;
};

Layout layout_of(const model::ModelFile& file) {
  Layout layout;
  layout.tied = file.find_tensor("output.weight") == nullptr;
  const std::string experts = file.get_string("general.architecture", "") + ".expert_count";
  layout.n_expert = file.get_int(experts, 0, INT32_MAX, 0);
  for (const Tensor& t : file.tensors()) {
    layout.n_layer = std::max(layout.n_layer, layer_of(t.name) + 1);
  }
  return layout;
}

bool is_matrix(const Tensor& t) {
  if (!t.name.ends_with(".weight") || t.rows() == 1) return false;
  for (const char* kept : {"_norm", "ffn_gate_inp", "position_embd", "token_types", "conv1d"}) {
    if (t.name.find(kept) != std::string::npos) return false;
  }
  return true;
}

// The first and last eighth of the layers and every third between (llama-quant's use_more_bits).
bool matters_more(int64_t layer, int64_t n_layer) {
  const int64_t eighth = n_layer / 8;
  return layer < eighth || layer >= 7 * n_layer / 8 || (layer - eighth) % 3 == 2;
}

DType wanted_type(const Tensor& t, DType target, const Layout& layout) {
  const bool below_8_bits = block_of(target) > 1 && target != DType::kQ8_0;
  if (below_8_bits && t.name == (layout.tied ? "token_embd.weight" : "output.weight")) {
    return t.cols() % block_of(DType::kQ6K) == 0 ? DType::kQ6K : DType::kQ8_0;
  }
  // Of eight experts' weights these are so few that a byte each costs nothing (llama-quant).
  const bool key_or_value =
      t.name.find(".attn_k.") != std::string::npos || t.name.find(".attn_v.") != std::string::npos;
  if (below_8_bits && layout.n_expert == 8 && key_or_value) return DType::kQ8_0;
  if (target != DType::kQ4K || !matters_more(layer_of(t.name), layout.n_layer)) return target;
  for (const char* sensitive : {".attn_v.", ".attn_qkv.", ".attn_kv_b.", ".ffn_down"}) {
    if (t.name.find(sensitive) != std::string::npos) return DType::kQ6K;
  }
  return target;
}

DType stored_type(const Tensor& t, DType target, const Layout& layout) {
  if (!is_matrix(t)) return t.dtype;
  DType type = wanted_type(t, target, layout);
  const auto fits = [&] { return t.cols() % block_of(type) == 0; };
  if (!fits() && type == DType::kQ4K) type = DType::kQ5_0;
  if (!fits() && type == DType::kQ6K) type = DType::kQ8_0;
  return fits() ? type : DType::kF16;
}

void add_metadata(model::GgufWriter& writer, const model::ModelFile& file, const Target& target) {
  std::map<std::string, uint64_t> ours = {{"general.file_type", target.file_type}};
  if (block_of(target.type) > 1) ours["general.quantization_version"] = 2;
  for (const auto& [key, value] : file.metadata()) {
    // The output is one file, aligned in its own way.
    if (key == "general.alignment" || key.starts_with("split.") || tells_of_layout(key)) continue;
    const auto known = ours.find(key);
    if (known == ours.end()) {
      writer.add(key, value);
    } else {
      writer.add(key, known->second);
      ours.erase(known);
    }
  }
  for (const auto& [key, value] : ours) writer.add(key, value);
}

// One line on a terminal, written over by the next.
class Progress {
 public:
  explicit Progress(uint64_t total) : total_(total) {}
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(uint64_t values, const std::string& tensor) {
    done_ += values;
    if (!terminal_) return;
    shown_ = true;
    std::fprintf(stderr, "\r\x1b[K%3.0f %% %s",
                 100.0 * static_cast<double>(done_) / static_cast<double>(total_),
                 model::printable(tensor, 200).c_str());
    std::fflush(stderr);
  }

 private:
  uint64_t total_;
  uint64_t done_ = 0;
  bool terminal_ = isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

struct Sizes {
  uint64_t values = 0;
  uint64_t bytes = 0;
  std::map<std::string, int> tensors;  // by the name of the type
};

std::string summary(const QuantizeOptions& options, DType target, const Sizes& sizes,
                    uint64_t bytes_before, uint64_t bytes_written) {
  std::string types;
  for (const auto& [name, n] : sizes.tensors) {
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", n, name);
  }
  const auto bytes = static_cast<double>(bytes_written);
  const auto before = static_cast<double>(bytes_before);
  return fmt::format("{}: {}, {:.1f} MB of {:.1f} MB ({:.0f} %), {:.2f} bits a weight; tensors: {}",
                     model::printable(options.output, 200), model::dtype_name(target), bytes / 1e6,
                     before / 1e6, 100.0 * bytes / before,
                     8.0 * static_cast<double>(sizes.bytes) / static_cast<double>(sizes.values),
                     types);
}

}  // namespace

int quantize(const QuantizeOptions& options, std::ostream& out) {
  const Target target = target_of(options.type);
  const model::ModelFile file = open_model_file({options.input, options.builtin});
  if (file.tensors().empty()) file.fail("holds no tensors", "name a model with weights");
  model::train::check_writable(options.output);

  model::ThreadPool pool(std::min(thread_count(options.threads), 256));
  model::GgufWriter writer;
  add_metadata(writer, file, target);
  const Layout layout = layout_of(file);
  Sizes sizes;
  bool again = false;
  const std::vector<OutputTensor> tensors = gguf_tensors(file);
  std::vector<DType> types;
  for (const auto& [t, parts, head_width] : tensors) {
    types.push_back(stored_type(t, target.type, layout));
    if (types.back() != t.dtype) {
      if (const std::string reason = model::unsupported_type(t); !reason.empty()) file.fail(reason);
      again = again || block_of(t.dtype) > 1;
    }
    sizes.values += static_cast<uint64_t>(t.elements());
    sizes.bytes += model::dtype_row_bytes(types.back(), t.cols()) * static_cast<uint64_t>(t.rows());
    ++sizes.tensors[model::dtype_name(types.back())];
  }
  if (again) {
    std::fprintf(stderr,
                 "%s is quantised already: what it lost stays lost; better begin with "
                 "the original\n",
                 model::printable(options.input, 200).c_str());
  }
  uint64_t written = 0;
  {
    const StopSignals signals;
    Progress progress(sizes.values);
    for (size_t i = 0; i < types.size(); ++i) {
      const OutputTensor& t = tensors[i];
      writer.add_tensor(
          t.shape.name, t.shape.ne, types[i],
          [&t, type = types[i], &pool, &progress](int64_t first, int64_t n, std::byte* to) {
            if (StopSignals::asked())
              throw Error(ExitCode::kFailed, "stopped; nothing was written");
            progress.add(static_cast<uint64_t>(n * t.shape.cols()), t.shape.name);
            convert_rows(t, first, n, type, to, pool);
          });
    }
    written = writer.write(options.output);
  }
  out << summary(options, target.type, sizes, file.file_bytes(), written) << '\n';
  return 0;
}

}  // namespace engine::commands
