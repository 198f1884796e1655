#include "model/train/checkpoint.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "model/error.h"
#include "model/format/atomic_file.h"
#include "model/tokenizer/bpe.h"
#include "model/train/corpus.h"
#include "model/utf8.h"

namespace model::train {
namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

constexpr std::array<char, 8> kMagic = {'F', 'U', 'L', 'G', 'S', 'T', 'A', 'T'};
constexpr uint32_t kVersion = 2;  // 1 ended behind the best weights

std::vector<std::string> byte_tokens() {
  std::vector<std::string> tokens(256);
  for (size_t byte = 0; byte < tokens.size(); ++byte) {
    append_utf8(tokens[byte], bpe_char_of_byte(static_cast<unsigned char>(byte)));
  }
  return tokens;
}

template <class T>
void put(std::string& out, T value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  out.append(bytes.data(), bytes.size());
}

template <class T>
T take(const std::string& in, size_t& at) {
  CHECK(at + sizeof(T) <= in.size());
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), in.data() + at, bytes.size());
  at += sizeof(T);
  return std::bit_cast<T>(bytes);
}

constexpr uint32_t optimiser(bool muon) noexcept {
  return muon ? 1 : 2;
}

std::array<int64_t, 8> shape_of(const Config& c) {
  return {c.n_layer, c.n_embd, c.n_head, c.n_head_kv, c.n_ff, c.n_vocab, c.n_ctx, c.tied ? 1 : 0};
}

constexpr std::array<const char*, 8> kShapeFlags = {
    "--layers", "--dim", "--heads", "--kv-heads", "--ffn", "vocabulary", "--ctx", "tied output"};
constexpr size_t kHeaderBytes = 8 + 4 + 4 + 8 * 8 + 8 + 8 + 8 + 8 + 8;

void write_atomically(const std::string& bytes, const std::string& path) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit();
}

}  // namespace

void check_writable(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (path.empty()) throw Error(ExitCode::kUsage, "no output file was named", "", "-o FILE");
  if (fs::is_directory(path, ignored)) throw Error(ExitCode::kFailed, "is a directory", path);
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored)) {
    throw Error(ExitCode::kFailed, "its folder does not exist", path, "make the folder first");
  }
  refuse_read_only(path);
  if (fs::is_other(path, ignored)) return;  // a device or a pipe, which opening may wait for
  const std::string part = path + ".part";
  const bool there = fs::exists(part, ignored);
  if (!std::ofstream(part, std::ios::binary | std::ios::app)) {
    throw Error(ExitCode::kFailed, "cannot be written", path, "check the folder's permissions");
  }
  if (!there) fs::remove(part, ignored);
}

void save_gguf(const Weights& weights, const Config& c, const std::string& path, DType dtype) {
  CHECK(c.n_vocab == kByteVocabulary);
  const auto count = [](int64_t n) { return static_cast<uint64_t>(n); };
  GgufWriter writer;
  writer.add("general.architecture", std::string("llama"));
  writer.add("general.name", c.name);
  writer.add("general.file_type", uint64_t{dtype == DType::kF16 ? 1U : 0U});
  writer.add("llama.context_length", count(c.n_ctx));
  writer.add("llama.embedding_length", count(c.n_embd));
  writer.add("llama.block_count", count(c.n_layer));
  writer.add("llama.feed_forward_length", count(c.n_ff));
  writer.add("llama.attention.head_count", count(c.n_head));
  writer.add("llama.attention.head_count_kv", count(c.n_head_kv));
  writer.add("llama.attention.layer_norm_rms_epsilon", static_cast<double>(c.norm_eps));
  writer.add("llama.rope.dimension_count", count(c.rope_dim));
  writer.add("llama.rope.freq_base", static_cast<double>(c.rope_base));
  writer.add("llama.vocab_size", count(c.n_vocab));
  writer.add("tokenizer.ggml.model", std::string("gpt2"));
  writer.add("tokenizer.ggml.pre", std::string("gpt-2"));
  writer.add("tokenizer.ggml.tokens", byte_tokens());
  writer.add("tokenizer.ggml.token_type", std::vector<int64_t>(kByteVocabulary, 1));
  writer.add("tokenizer.ggml.merges", std::vector<std::string>{});
  writer.add("tokenizer.ggml.bos_token_id", uint64_t{0});
  writer.add("tokenizer.ggml.eos_token_id", uint64_t{0});
  writer.add("tokenizer.ggml.add_bos_token", false);
  writer.add("tokenizer.ggml.add_space_prefix", false);
  Weights list = weights;
  for_each_tensor(list, c,
                  [&](const Matrix& tensor, const std::string& name, int64_t rows, int64_t cols) {
                    writer.add_tensor(name, rows, cols, dtype, tensor.data);
                  });
  writer.write(path);
}

Parameters load_gguf(const ModelFile& file) {
  const Config config = read_config(file);
  if (config.arch != "llama") {
    throw Error(ExitCode::kBadModel, "architecture " + config.arch + " cannot be trained",
                file.name(), "the trainer knows llama");
  }
  // Every tensor is looked up before anything is allocated, so that no more is than the file holds.
  LlamaWeights<int> shape;
  shape.layers.resize(static_cast<size_t>(config.n_layer));
  for_each_tensor(shape, config, [&](int, const std::string& name, int64_t rows, int64_t cols) {
    file.require_tensor(name, rows, cols);
  });
  Parameters parameters(config);
  Weights list = parameters.weights();
  for_each_tensor(list, config,
                  [&](const Matrix& to, const std::string& name, int64_t rows, int64_t cols) {
                    const Tensor& from = file.require_tensor(name, rows, cols);
                    for (int64_t r = 0; r < rows; ++r) dequantize_row(from, r, to.data + r * cols);
                  });
  return parameters;
}

void save_state(const RunState& state, const std::string& path) {
  const Parameters& weights = state.trainer.weights;
  std::string out;
  out.reserve(kHeaderBytes + 8 + static_cast<size_t>(weights.size()) * 16);
  out.append(kMagic.data(), kMagic.size());
  put(out, kVersion);
  put(out, optimiser(state.muon));
  for (const int64_t n : shape_of(weights.config())) put(out, n);
  put(out, state.seed);
  put(out, state.trainer.step);
  put(out, state.best_step);
  put(out, state.best_loss);
  put(out, weights.size());
  const Parameters& best = state.best ? *state.best : weights;
  for (const Parameters* p : {&weights, &state.trainer.moment1, &state.trainer.moment2, &best}) {
    out.append(reinterpret_cast<const char*>(p->data()),
               static_cast<size_t>(p->size()) * sizeof(float));
  }
  put(out, state.written_loss);
  put(out, state.text);
  put(out, static_cast<uint64_t>(state.settings.size()));
  out += state.settings;
  put(out, fnv1a(out));
  write_atomically(out, path);
}

RunState load_state(const std::string& path, const Config& config, uint64_t seed, bool muon) {
  const auto refuse = [&path](const std::string& what, const std::string& hint = {}) {
    throw Error(ExitCode::kUsage, what, path, hint);
  };
  constexpr size_t kTailBytes = 8 + 8 + 8;
  constexpr size_t kMostSettings = 1 << 16;
  const size_t bytes = static_cast<size_t>(Parameters::count(config)) * sizeof(float);
  const std::string in =
      read_text(path, kHeaderBytes + 4 * bytes + kTailBytes + kMostSettings + sizeof(uint64_t));
  if (in.size() < kHeaderBytes || std::memcmp(in.data(), kMagic.data(), kMagic.size()) != 0) {
    refuse("is not the state of a training run",
           "--resume takes the model; its state lies beside it in MODEL.state");
  }
  size_t at = kMagic.size();
  const auto version = take<uint32_t>(in, at);
  const auto saved_with = take<uint32_t>(in, at);
  if (version < 1 || version > kVersion)
    refuse("has version " + std::to_string(version) + "; this program knows 1 and 2");
  if (saved_with != 0 && saved_with != optimiser(muon)) {
    refuse(std::string("was saved with ") + (muon ? "--adamw" : "--muon"),
           "resume with the same optimiser");
  }
  const std::array<int64_t, 8> wanted = shape_of(config);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto n = take<int64_t>(in, at);
    if (n != wanted[i]) {
      refuse("was saved with " + std::string(kShapeFlags[i]) + " " + std::to_string(n) + ", not " +
                 std::to_string(wanted[i]),
             "resume with the same shape");
    }
  }
  const auto saved_seed = take<uint64_t>(in, at);
  if (saved_seed != seed) {
    refuse("was saved with --seed " + std::to_string(saved_seed), "resume with the same seed");
  }
  RunState state{.trainer = {.step = 0,
                             .weights = Parameters(config),
                             .moment1 = Parameters(config),
                             .moment2 = Parameters(config)},
                 .seed = seed,
                 .muon = muon,
                 .best_loss = 0.0,
                 .best_step = -1,
                 .best = Parameters(config)};
  state.trainer.step = take<int64_t>(in, at);
  state.best_step = take<int64_t>(in, at);
  state.best_loss = take<double>(in, at);
  const auto n = take<int64_t>(in, at);
  const size_t least = kHeaderBytes + 4 * bytes + (version > 1 ? kTailBytes : 0) + sizeof(uint64_t);
  if (n != state.trainer.weights.size() || in.size() < least ||
      (version == 1 && in.size() != least)) {
    refuse("is truncated or damaged");
  }
  size_t end = in.size() - sizeof(uint64_t);
  const uint64_t sum = fnv1a(std::string_view(in).substr(0, end));
  if (take<uint64_t>(in, end) != sum || state.trainer.step < 0) {
    refuse("is damaged: its checksum is wrong");
  }
  for (Parameters* p :
       {&state.trainer.weights, &state.trainer.moment1, &state.trainer.moment2, &*state.best}) {
    std::memcpy(p->data(), in.data() + at, bytes);
    at += bytes;
  }
  state.written_loss = state.best_loss;
  if (version > 1) {
    state.written_loss = take<double>(in, at);
    state.text = take<uint64_t>(in, at);
    if (take<uint64_t>(in, at) != in.size() - least) refuse("is truncated or damaged");
    state.settings = in.substr(at, in.size() - least);
  }
  if (std::isnan(state.best_loss) || std::isnan(state.written_loss)) {
    refuse("is damaged: its best loss is no number");
  }
  if (state.best_step < 0) state.best.reset();
  return state;
}

}  // namespace model::train
