#include "model/config.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "model/arch/llama.h"
#include "model/error.h"
#include "model/format/gguf.h"
#include "model/tokenizer/tokenizer.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Bounds far above every published model; below them no product of two sizes overflows.
constexpr int64_t kMaxLayers = 1 << 12;
constexpr int64_t kMaxWidth = 1 << 24;
constexpr int64_t kMaxHeads = 1 << 16;
constexpr int64_t kMaxContext = 1 << 30;

class LlamaReader {
 public:
  explicit LlamaReader(const ModelFile& file) : file_(file) {}

  Config read() {
    refuse_unsupported();
    Config c;
    c.arch = "llama";
    c.name = file_.get_string("general.name", "");
    c.n_layer = integer("block_count", kMaxLayers);
    c.n_embd = integer("embedding_length", kMaxWidth);
    c.n_ff = integer("feed_forward_length", kMaxWidth);
    c.n_ctx = integer("context_length", kMaxContext);
    c.n_head = integer("attention.head_count", kMaxHeads);
    c.n_head_kv = integer("attention.head_count_kv", kMaxHeads, c.n_head);
    if (c.n_head % c.n_head_kv != 0) {
      fail(std::to_string(c.n_head) + " heads cannot share " + std::to_string(c.n_head_kv) +
           " KV heads evenly");
    }
    if (!file_.find(key("attention.key_length")) && c.n_embd % c.n_head != 0) {
      fail("a width of " + std::to_string(c.n_embd) + " does not divide into " +
           std::to_string(c.n_head) + " heads");
    }
    c.head_dim =
        integer("attention.key_length", kMaxWidth, std::max<int64_t>(1, c.n_embd / c.n_head));
    if (integer("attention.value_length", kMaxWidth, c.head_dim) != c.head_dim) {
      fail("keys and values of different widths are not supported");
    }
    c.rope_dim = integer("rope.dimension_count", c.head_dim, c.head_dim);
    if (c.rope_dim % 2 != 0) {
      fail("llama.rope.dimension_count is " + std::to_string(c.rope_dim) + ", which is odd");
    }
    c.rope_base = positive("rope.freq_base", 10000.0);
    if (!file_.find(key("attention.layer_norm_rms_epsilon"))) {
      fail("the key 'llama.attention.layer_norm_rms_epsilon' is missing");
    }
    c.norm_eps = positive("attention.layer_norm_rms_epsilon", 1e-5);
    c.n_vocab = vocabulary();
    c.tied = file_.find_tensor("output.weight") == nullptr;
    return c;
  }

 private:
  static std::string key(const char* name) { return std::string("llama.") + name; }

  [[noreturn]] void fail(std::string what, std::string hint = {}) const {
    throw Error(ExitCode::kBadModel, std::move(what), file_.name(), std::move(hint));
  }
  int64_t integer(const char* name, int64_t most) const {
    return file_.get_int(key(name), 1, most);
  }
  int64_t integer(const char* name, int64_t most, int64_t fallback) const {
    return file_.get_int(key(name), 1, most, fallback);
  }
  float positive(const char* name, double fallback) const {
    const double value = file_.get_float(key(name), fallback);
    constexpr double kMost = std::numeric_limits<float>::max();
    if (!(value > 0.0 && value <= kMost)) {
      fail(key(name) + " is " + std::to_string(value), "a positive number");
    }
    return static_cast<float>(value);
  }

  int64_t vocabulary() const {
    const auto* tokens = file_.get_strings("tokenizer.ggml.tokens");
    if (!tokens) return integer("vocab_size", kMaxWidth);
    const auto n = static_cast<int64_t>(tokens->size());
    if (n < 1 || n > kMaxWidth) fail("a vocabulary of " + std::to_string(n) + " tokens");
    if (integer("vocab_size", kMaxWidth, n) != n) {
      fail("llama.vocab_size is " + std::to_string(integer("vocab_size", kMaxWidth)) +
           ", but tokenizer.ggml.tokens has " + std::to_string(n));
    }
    return n;
  }

  // What would silently give wrong numbers if it were passed over.
  void refuse_unsupported() const {
    if (file_.get_int(key("expert_count"), 0, kMaxWidth, 0) > 0) {
      fail("a mixture of experts is not supported yet", "use a dense model");
    }
    const std::string scaling = file_.get_string(key("rope.scaling.type"), "none");
    if (scaling != "none") {
      fail("RoPE scaling of type " + quoted(scaling) + " is not supported yet");
    }
    for (const char* name :
         {"rope.scaling.factor", "rope.scale_linear", "attention.scale", "logit_scale",
          "embedding_scale", "residual_scale", "attention.temperature_scale"}) {
      const double value = file_.get_float(key(name), 1.0);
      if (value != 1.0 && value != 0.0) fail(key(name) + " is not supported yet");
    }
    if (file_.find_tensor("rope_freqs.weight")) {
      fail("RoPE frequency factors (rope_freqs.weight) are not supported yet");
    }
    if (!file_.get_bool(key("attention.causal"), true)) {
      fail("attention that is not causal is not supported");
    }
  }

  const ModelFile& file_;
};

// Collects instead of throwing; the sentences go without the file's name.
class Problems {
 public:
  explicit Problems(const ModelFile& file) : prefix_(file.name() + ": ") {}

  template <class F>
  bool attempt(F&& f) {
    try {
      f();
      return true;
    } catch (const Error& error) {
      std::string line = error.what();
      if (line.starts_with(prefix_)) line.erase(0, prefix_.size());
      add(std::move(line));
      return false;
    }
  }
  void add(std::string line) { list_.push_back(std::move(line)); }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::string prefix_;
  std::vector<std::string> list_;
};

}  // namespace

Config read_config(const ModelFile& file) {
  const std::string arch = file.get_string("general.architecture");
  if (arch != "llama") {
    throw Error(ExitCode::kBadModel, "the architecture " + quoted(arch) + " is not supported yet",
                file.name(), "known: llama");
  }
  return LlamaReader(file).read();
}

std::vector<std::string> find_problems(const ModelFile& file) {
  Problems problems(file);
  Config config;
  if (!problems.attempt([&] { config = read_config(file); })) return problems.take();
  problems.attempt([&] { make_tokenizer(file); });

  struct Slot {};
  LlamaWeights<Slot> shapes;
  shapes.layers.resize(static_cast<size_t>(config.n_layer));
  std::unordered_set<std::string> known;
  for_each_tensor(shapes, config, [&](Slot&, const std::string& name, int64_t rows, int64_t cols) {
    known.insert(name);
    problems.attempt([&] { file.require_tensor(name, rows, cols); });
  });
  for (const Tensor& tensor : file.tensors()) {
    const auto type = static_cast<uint32_t>(tensor.dtype);
    const std::string what = "tensor " + quoted(tensor.name);
    if (!known.contains(tensor.name)) {
      problems.add(what + " has no place in the architecture " + config.arch);
    } else if (!dtype_supported(type)) {
      problems.add(unsupported_type(tensor));
    }
  }
  return problems.take();
}

void require_runnable(const ModelFile& file) {
  const std::vector<std::string> problems = find_problems(file);
  if (problems.empty()) return;
  std::string line = problems.front();
  if (problems.size() > 1) {
    line += "; and " + std::to_string(problems.size() - 1) + " more";
  }
  throw Error(ExitCode::kBadModel, line, file.name(), "`fulgurite inspect` lists all problems");
}

}  // namespace model
