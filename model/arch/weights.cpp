#include "model/arch/weights.h"

#include <charconv>
#include <cstring>
#include <system_error>

#include "model/error.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Quantised matrices of up to so many weights are read as float32: their products are then exact
// (nothing is rounded to 8 bits), and in so small a model nobody waits for them.
constexpr int64_t kWidenedElements = 1 << 16;

// Problems that are listed: metadata can promise millions of tensors that are not there.
constexpr size_t kMostProblems = 1000;
struct Enough {};

// Rows [first, first + rows) of a matrix, as a matrix of its own.
Tensor rows_of(const Tensor& tensor, int64_t first, int64_t rows) {
  Tensor part = tensor;
  part.ne = {tensor.cols(), rows, 1, 1};
  if (tensor.data != nullptr) part.data = tensor.row(first);
  return part;
}

Linear rows_of(const Linear& linear, int64_t first, int64_t rows) {
  Linear part{rows_of(linear.weight, first, rows), linear.bias};
  if (linear.bias.data != nullptr) {
    part.bias.ne = {rows, 1, 1, 1};
    part.bias.data += static_cast<size_t>(first) * sizeof(float);
  }
  return part;
}

class Reader {
 public:
  Reader(const ModelFile& file, const Config& config, std::vector<std::string>* problems)
      : file_(file), c_(config), problems_(problems) {}

  Weights read() {
    Weights w;
    copies_ = &w.copies;
    w.token_embd = matrix("token_embd.weight", c_.n_vocab, c_.n_embd);
    if (c_.learned_positions) {
      w.position_embd = matrix("position_embd.weight", c_.n_ctx, c_.n_embd);
    }
    w.rope_factors = optional_vector("rope_freqs.weight", c_.rope_dim / 2);
    if (c_.rope_original > 0) {
      w.rope_factors = vector("rope_factors_short.weight", c_.rope_dim / 2);
      w.rope_factors_long = vector("rope_factors_long.weight", c_.rope_dim / 2);
    }
    for (int64_t l = 0; l < c_.n_layer; ++l) w.layers.push_back(layer(l));
    w.output_norm = norm("output_norm", c_.n_embd);
    if (c_.tied && !c_.own_head) {
      w.output.weight = w.token_embd;
      w.output.bias = bias("output", c_.n_vocab, c_.head_biased);
    } else {
      w.output = linear("output", c_.n_vocab, c_.n_embd, c_.head_biased);
    }
    name_the_rest();
    return w;
  }

 private:
  Layer layer(int64_t l) {
    const int64_t q_width = c_.n_head * c_.head_dim;
    const int64_t kv_width = c_.n_head_kv * c_.head_dim;
    blk_ = "blk." + std::to_string(l) + ".";
    Layer w;
    if (c_.pre_norms) w.attn_norm = norm(blk_ + "attn_norm", c_.n_embd);
    if (c_.latent()) {
      read_latent(w);
    } else if (has(blk_ + "attn_qkv.weight")) {
      const Linear qkv =
          linear(blk_ + "attn_qkv", q_width + 2 * kv_width, c_.n_embd, c_.needs_head_biases());
      w.wq = rows_of(qkv, 0, q_width);
      w.wk = rows_of(qkv, q_width, kv_width);
      w.wv = rows_of(qkv, q_width + kv_width, kv_width);
    } else {
      w.wq = linear(blk_ + "attn_q", q_width, c_.n_embd, c_.needs_head_biases());
      w.wk = linear(blk_ + "attn_k", kv_width, c_.n_embd, c_.needs_head_biases());
      w.wv = linear(blk_ + "attn_v", kv_width, c_.n_embd, c_.needs_head_biases());
    }
    if (c_.qk_norm != QkNorm::kNone) {
      const bool whole = c_.qk_norm == QkNorm::kProjection;
      w.q_norm = norm(blk_ + "attn_q_norm", whole ? q_width : c_.head_dim);
      w.k_norm = norm(blk_ + "attn_k_norm", whole ? kv_width : c_.head_dim);
    }
    if (c_.sinks) w.sinks = vector(blk_ + "attn_sinks.weight", c_.n_head);
    w.wo = linear(blk_ + "attn_output", c_.n_embd, c_.n_head * c_.mix_width(), c_.all_biased);
    if (c_.post_norms) {
      w.attn_post_norm = norm(blk_ + "post_attention_norm", c_.n_embd);
      w.ffn_post_norm = norm(blk_ + "post_ffw_norm", c_.n_embd);
    }
    if (c_.pre_norms && !c_.shared_norm) w.ffn_norm = norm(blk_ + ffn_norm_name(c_), c_.n_embd);
    if (!c_.mixed(l)) {
      w.ffn = ffn("", c_.neurons(l));
    } else {
      w.router = linear(blk_ + "ffn_gate_inp", c_.n_expert, c_.n_embd, c_.all_biased);
      w.experts = experts();
      if (c_.n_ff_shared > 0) {
        w.ffn = ffn("_shexp", c_.n_ff_shared);
        if (c_.shared_gated) w.shared_gate = linear(blk_ + "ffn_gate_inp_shexp", 1, c_.n_embd);
      }
      w.choice = optional_vector(blk_ + "exp_probs_b.bias", c_.n_expert);
    }
    return w;
  }

  void read_latent(Layer& w) {
    const int64_t q_width = c_.n_head * c_.query_width;
    if (c_.query_rank > 0) {
      w.wq_down = linear(blk_ + "attn_q_a", c_.query_rank, c_.n_embd);
      w.q_norm = norm(blk_ + "attn_q_a_norm", c_.query_rank);
      w.wq = linear(blk_ + "attn_q_b", q_width, c_.query_rank);
    } else {
      w.wq = linear(blk_ + "attn_q", q_width, c_.n_embd);
    }
    w.wk = linear(blk_ + "attn_kv_a_mqa", c_.head_dim, c_.n_embd);
    w.k_norm = norm(blk_ + "attn_kv_a_norm", c_.kv_rank);
    // Files of before April 2025 have both of a head in one, its keys' rows first; some have it
    // beside the two, which say the same.
    const int64_t plain = c_.query_width - c_.rope_dim;
    const int64_t both = plain + c_.head_value_dim;
    w.k_up_transposed = has(blk_ + "attn_kv_b.weight");
    Linear keys, values;
    if (w.k_up_transposed) {
      for (const char* name : {"attn_k_b.weight", "attn_v_b.weight"}) known_.insert(blk_ + name);
      keys.weight = matrix(blk_ + "attn_kv_b.weight", c_.n_head * both, c_.kv_rank);
      values = keys;
    } else {
      keys.weight = matrix(blk_ + "attn_k_b.weight", c_.kv_rank, plain, c_.n_head);
      values.weight = matrix(blk_ + "attn_v_b.weight", c_.head_value_dim, c_.kv_rank, c_.n_head);
    }
    for (int64_t h = 0; h < c_.n_head && !keys.empty() && !values.empty(); ++h) {
      const int64_t rows = w.k_up_transposed ? plain : c_.kv_rank;
      w.k_up.push_back(rows_of(keys, h * (w.k_up_transposed ? both : rows), rows));
      w.v_up.push_back(rows_of(values, w.k_up_transposed ? h * both + plain : h * c_.head_value_dim,
                               c_.head_value_dim));
    }
  }

  Ffn ffn(const std::string& suffix, int64_t neurons) {
    Ffn w;
    const bool gated = c_.gated();
    if (gated && !has(blk_ + "ffn_gate" + suffix + ".weight") &&
        file_rows(blk_ + "ffn_up" + suffix + ".weight") == 2 * neurons) {
      const Linear both = linear(blk_ + "ffn_up" + suffix, 2 * neurons, c_.n_embd, c_.all_biased);
      w.gate = rows_of(both, 0, neurons);
      w.up = rows_of(both, neurons, neurons);
    } else {
      if (gated) w.gate = linear(blk_ + "ffn_gate" + suffix, neurons, c_.n_embd, c_.all_biased);
      w.up = linear(blk_ + "ffn_up" + suffix, neurons, c_.n_embd, c_.all_biased);
    }
    w.down = linear(blk_ + "ffn_down" + suffix, c_.n_embd, neurons, c_.all_biased);
    return w;
  }

  // Stacked in three dimensions, or one tensor an expert.
  std::vector<Ffn> experts() {
    std::vector<Ffn> list(static_cast<size_t>(c_.n_expert));
    const auto fill = [&](const char* name, int64_t rows, int64_t cols, Linear Ffn::*part) {
      const std::string stacked = blk_ + name + "_exps.weight";
      if (has(stacked) || c_.all_biased) {
        const Tensor all = matrix(stacked, rows, cols, c_.n_expert);
        const Linear stack{all, bias(blk_ + name + "_exps", rows, c_.all_biased, c_.n_expert)};
        for (size_t e = 0; e < list.size(); ++e) {
          list[e].*part = rows_of(stack, static_cast<int64_t>(e) * rows, rows);
        }
        return;
      }
      for (size_t e = 0; e < list.size(); ++e) {
        (list[e].*part).weight =
            matrix(blk_ + name + "." + std::to_string(e) + ".weight", rows, cols);
      }
    };
    fill("ffn_gate", c_.n_ff, c_.n_embd, &Ffn::gate);
    fill("ffn_up", c_.n_ff, c_.n_embd, &Ffn::up);
    fill("ffn_down", c_.n_embd, c_.n_ff, &Ffn::down);
    return list;
  }

  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }
  int64_t file_rows(const std::string& name) const {
    const Tensor* tensor = file_.find_tensor(name);
    return tensor ? tensor->ne[1] : 0;
  }

  // Runs f; what it throws becomes a line of the list, when there is one.
  template <class F>
  void attempt(F&& f) {
    if (problems_ == nullptr) return f();
    try {
      f();
    } catch (const Error& error) {
      std::string line = error.what();
      const std::string prefix = file_.name() + ": ";
      if (line.starts_with(prefix)) line.erase(0, prefix.size());
      add_problem(std::move(line));
    }
  }

  void add_problem(std::string line) {
    if (problems_ == nullptr) file_.fail(std::move(line));
    problems_->push_back(std::move(line));
    if (problems_->size() >= kMostProblems) throw Enough();
  }

  Tensor matrix(const std::string& name, int64_t rows, int64_t cols, int64_t slices = 1) {
    Tensor tensor;
    known_.insert(name);
    attempt([&] {
      const Tensor& found = file_.require_tensor(name, rows, cols, slices);
      if (!dtype_supported(found.dtype)) {
        file_.fail(unsupported_type(found));
      }
      tensor = found;
    });
    if (tensor.data != nullptr && rounds_input(tensor.dtype) &&
        tensor.elements() <= kWidenedElements) {
      widen(tensor);
    }
    return tensor;
  }

  void widen(Tensor& tensor) {
    std::vector<float>& copy = copies_->emplace_back(static_cast<size_t>(tensor.elements()));
    for (int64_t i = 0; i < tensor.rows(); ++i) {
      dequantize_row(tensor, i, copy.data() + i * tensor.cols());
    }
    tensor.dtype = DType::kF32;
    tensor.data = reinterpret_cast<const std::byte*>(copy.data());
  }

  Linear linear(const std::string& name, int64_t rows, int64_t cols, bool biased = false) {
    Linear l;
    l.weight = matrix(name + ".weight", rows, cols);
    l.bias = bias(name, rows, biased);
    return l;
  }

  // Without data where there is none; whether the family has one says `needed`. Of a stack of
  // matrices those of all, one behind the other.
  Tensor bias(const std::string& name, int64_t n, bool needed, int64_t slices = 1) {
    Tensor bias;
    if (!needed && !has(name + ".bias")) return bias;
    bias.ne = {n * slices, 1, 1, 1};
    bias.data = reinterpret_cast<const std::byte*>(vector(name + ".bias", n, slices));
    return bias;
  }

  // n float32 values, or rows of as many, copied where the file's cannot be read as they lie.
  const float* vector(const std::string& name, int64_t n, int64_t rows = 1) {
    const Tensor tensor = matrix(name, rows, n);
    if (tensor.data == nullptr) return nullptr;
    if (tensor.dtype == DType::kF32 &&
        reinterpret_cast<uintptr_t>(tensor.data) % alignof(float) == 0) {
      return reinterpret_cast<const float*>(tensor.data);
    }
    std::vector<float>& copy = copies_->emplace_back(static_cast<size_t>(rows * n));
    for (int64_t i = 0; i < rows; ++i) dequantize_row(tensor, i, copy.data() + i * n);
    return copy.data();
  }
  const float* optional_vector(const std::string& name, int64_t n) {
    return has(name) ? vector(name, n) : nullptr;
  }

  Norm norm(const std::string& name, int64_t n) {
    if (c_.norm != NormKind::kLayer) return {vector(name + ".weight", n), nullptr};
    const bool biased = c_.all_biased || has(name + ".bias");
    return {vector(name + ".weight", n), biased ? vector(name + ".bias", n) : nullptr};
  }

  bool of_unused_layer(const std::string& name) const {
    const int64_t l = layer_of(name);
    return l >= c_.n_layer && l < c_.n_layer + c_.n_layer_unused;
  }

  void name_the_rest() {
    for (const Tensor& tensor : file_.tensors()) {
      if (known_.contains(tensor.name) || of_unused_layer(tensor.name)) continue;
      add_problem("tensor " + quoted(tensor.name) + " has no place in the architecture " + c_.arch);
    }
  }

  const ModelFile& file_;
  const Config& c_;
  std::vector<std::string>* problems_;
  std::deque<std::vector<float>>* copies_ = nullptr;
  std::unordered_set<std::string> known_;
  std::string blk_;
};

}  // namespace

int64_t layer_of(std::string_view tensor_name) noexcept {
  constexpr std::string_view kBlock = "blk.";
  if (!tensor_name.starts_with(kBlock)) return -1;
  tensor_name.remove_prefix(kBlock.size());
  constexpr int64_t kMost = 1 << 20;
  const char* const behind = tensor_name.data() + tensor_name.size();
  int64_t layer = -1;
  const auto [end, error] = std::from_chars(tensor_name.data(), behind, layer);
  const bool whole = error == std::errc() && end != behind && *end == '.';
  return whole && layer >= 0 && layer < kMost ? layer : -1;
}

const char* ffn_norm_name(const Config& c) noexcept {
  const bool by_place = c.arch == "gpt-oss" || c.arch == "seed_oss" || c.arch == "glm4moe";
  return by_place ? "post_attention_norm" : "ffn_norm";
}

Weights read_weights(const ModelFile& file, const Config& config,
                     std::vector<std::string>* problems) {
  try {
    return Reader(file, config, problems).read();
  } catch (const Enough&) {
    return {};
  }
}

}  // namespace model
