// bench-shapes SHAPE QUANTISATION OUT.gguf: a model file of a published shape with random
// weights, as fast as a disk writes, for measuring speed: it says nothing, at the right pace.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/dtype.h"
#include "model/tokenizer/bpe.h"
#include "model/utf8.h"
#include "tests/bench/shapes.h"

namespace {

using bench::PlannedTensor;
using bench::Shape;
using model::DType;

template <class T>
std::string le(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

std::string text(std::string_view value) {
  return le<uint64_t>(value.size()) + std::string(value);
}

constexpr size_t kAlignment = 32;
size_t padded(size_t n) {
  return (n + kAlignment - 1) / kAlignment * kAlignment;
}

// The key-value part of a GGUF file; type numbers as in the specification.
class Metadata {
 public:
  void u32(const std::string& key, int64_t v) { put(key, 4, le(static_cast<uint32_t>(v))); }
  void f32(const std::string& key, float v) { put(key, 6, le(v)); }
  void boolean(const std::string& key, bool v) { put(key, 7, le<uint8_t>(v)); }
  void string(const std::string& key, std::string_view v) { put(key, 8, text(v)); }
  void strings(const std::string& key, const std::vector<std::string>& v) {
    std::string payload = le<uint32_t>(8) + le<uint64_t>(v.size());
    for (const std::string& s : v) payload += text(s);
    put(key, 9, payload);
  }
  template <class T>
  void array(const std::string& key, uint32_t type, const std::vector<T>& v) {
    std::string payload = le(type) + le<uint64_t>(v.size());
    for (const T& x : v) payload += le(x);
    put(key, 9, payload);
  }
  const std::string& bytes() const { return bytes_; }
  uint64_t count() const { return count_; }

 private:
  void put(const std::string& key, uint32_t type, const std::string& payload) {
    bytes_ += text(key) + le(type) + payload;
    ++count_;
  }
  std::string bytes_;
  uint64_t count_ = 0;
};

void add_shape(Metadata& m, const Shape& s) {
  const std::string arch(s.arch);
  m.string("general.architecture", arch);
  m.string("general.name", std::string(s.name) + " (random weights)");
  m.u32(arch + ".block_count", s.layers);
  m.u32(arch + ".context_length", s.context);
  m.u32(arch + ".embedding_length", s.width);
  m.u32(arch + ".feed_forward_length", s.dense_neurons > 0 ? s.dense_neurons : s.neurons);
  m.u32(arch + ".attention.head_count", s.heads);
  if (arch == "gpt2") {
    m.f32(arch + ".attention.layer_norm_epsilon", s.epsilon);
    return;
  }
  m.u32(arch + ".attention.head_count_kv", s.kv_heads);
  const bool latent = s.kv_rank > 0;
  m.u32(arch + ".attention.key_length", latent ? s.kv_rank + s.rotated : s.head_width);
  m.u32(arch + ".attention.value_length", latent ? s.kv_rank : s.head_width);
  if (latent) {
    m.u32(arch + ".attention.key_length_mla", s.head_width + s.rotated);
    m.u32(arch + ".attention.value_length_mla", s.head_width);
    m.u32(arch + ".attention.kv_lora_rank", s.kv_rank);
    m.u32(arch + ".leading_dense_block_count", 1);
    m.u32(arch + ".expert_shared_count", s.shared_neurons / s.neurons);
    m.u32(arch + ".vocab_size", s.vocabulary);
  }
  m.f32(arch + ".attention.layer_norm_rms_epsilon", s.epsilon);
  m.f32(arch + ".rope.freq_base", s.rope_base);
  m.u32(arch + ".rope.dimension_count", latent ? s.rotated : s.head_width);
  if (arch == "gpt-oss") {
    m.u32(arch + ".expert_feed_forward_length", s.neurons);
    m.u32(arch + ".attention.sliding_window", 128);
    m.string(arch + ".rope.scaling.type", "yarn");
    m.f32(arch + ".rope.scaling.factor", 32.0F);
    m.u32(arch + ".rope.scaling.original_context_length", 4096);
  }
  if (s.experts == 0) return;
  m.u32(arch + ".expert_count", s.experts);
  m.u32(arch + ".expert_used_count", s.experts_used);
  if (s.shared_neurons == 0) return;
  if (latent) return m.u32(arch + ".expert_feed_forward_length", s.neurons);
  m.u32(arch + ".expert_feed_forward_length", s.neurons);
  m.u32(arch + ".expert_shared_feed_forward_length", s.shared_neurons);
}

// Every byte is a token; the others are names that no text holds.
void add_tokenizer(Metadata& m, const Shape& s) {
  const bool bpe = s.tokenizer == "gpt2";
  std::vector<std::string> tokens;
  std::vector<int32_t> kinds;  // 1 normal, 2 unknown, 3 control, 6 byte
  std::vector<float> scores;
  if (!bpe) tokens = {"<unk>", "<s>", "</s>"}, kinds = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    if (bpe) {
      model::append_utf8(token, model::bpe_char_of_byte(static_cast<unsigned char>(byte)));
    } else {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      token = name;
    }
    tokens.push_back(token);
    kinds.push_back(bpe ? 1 : 6);
  }
  if (bpe) tokens.emplace_back("th"), kinds.push_back(1);
  const auto n = static_cast<size_t>(s.vocabulary);
  while (tokens.size() < n - (bpe ? 1 : 0)) {
    tokens.push_back("unused" + std::to_string(tokens.size()));
    kinds.push_back(1);
  }
  if (bpe) tokens.emplace_back("<|endoftext|>"), kinds.push_back(3);
  for (size_t i = 0; i < n; ++i) scores.push_back(-static_cast<float>(i));
  m.string("tokenizer.ggml.model", s.tokenizer);
  if (bpe) m.string("tokenizer.ggml.pre", s.arch == "gpt2" ? "gpt-2" : "qwen2");
  m.strings("tokenizer.ggml.tokens", tokens);
  m.array("tokenizer.ggml.token_type", 5, kinds);
  if (bpe) {
    m.strings("tokenizer.ggml.merges", {"t h"});
  } else {
    m.array("tokenizer.ggml.scores", 6, scores);
  }
  m.u32("tokenizer.ggml.bos_token_id", bpe ? s.vocabulary - 1 : 1);
  m.u32("tokenizer.ggml.eos_token_id", bpe ? s.vocabulary - 1 : 2);
  m.boolean("tokenizer.ggml.add_bos_token", !bpe);
}

// xorshift64* (Vigna 2016, arXiv:1402.6246).
class Random {
 public:
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DU;
  }
  void fill(std::string& bytes) {
    for (size_t i = 0; i < bytes.size(); i += sizeof(uint64_t)) {
      const uint64_t word = next();
      std::memcpy(bytes.data() + i, &word, std::min(sizeof word, bytes.size() - i));
    }
  }

 private:
  uint64_t state_ = 88172645463325252U;
};

// Where a block keeps its scale, and the standard deviation of its values when all its other bytes
// are random and the scale is 1. `min`: where it keeps the scale of its minima; levels of minimum
// that lie half-way up the values.
struct BlockLayout {
  size_t scale;
  float deviation;
  size_t min;  // 0: none
  float middle;
};

BlockLayout layout_of(DType type) {
  switch (type) {
    case DType::kQ8_0:
      return {0, 73.9F, 0, 0.0F};
    case DType::kQ4_0:
      return {0, 4.64F, 0, 0.0F};
    // Six-bit scales and minima, uniform: E[s^2] = 1333, var = 341.
    case DType::kQ4K:
      return {0, 258.0F, 2, 7.5F};
    case DType::kQ5K:
      return {0, 527.0F, 2, 15.5F};
    case DType::kQ6K:
      return {208, 1366.0F, 0, 0.0F};
    case DType::kMxfp4:
      return {0, 2.93F, 0, 0.0F};
    default:
      throw std::invalid_argument("no layout of " + model::dtype_name(type));
  }
}

void put_half(std::string& bytes, size_t at, float value) {
  const uint16_t half = model::f16_from_f32(value);
  std::memcpy(bytes.data() + at, &half, sizeof half);
}

std::string random_floats(int64_t n, float deviation, DType type, Random& random) {
  const size_t size = type == DType::kF16 ? 2 : 4;
  std::string bytes(static_cast<size_t>(n) * size, '\0');
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    // Uniform in +-sqrt(3) deviations.
    const float unit = static_cast<float>(random.next() >> 40) * 0x1.0p-23F - 1.0F;
    const float value = unit * 1.7320508F * deviation;
    if (type == DType::kF16) {
      put_half(bytes, 2 * i, value);
    } else {
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
  }
  return bytes;
}

std::string data_of(const PlannedTensor& tensor, Random& random) {
  int64_t n = 1;
  for (const int64_t side : tensor.ne) n *= side;
  if (tensor.deviation == 0.0F) {
    std::string bytes;
    for (int64_t i = 0; i < n; ++i) bytes += le(tensor.value);
    return bytes;
  }
  if (tensor.type == DType::kF16 || tensor.type == DType::kF32) {
    return random_floats(n, tensor.deviation, tensor.type, random);
  }
  const model::BlockSize block = model::dtype_block(tensor.type);
  const BlockLayout layout = layout_of(tensor.type);
  std::string bytes(static_cast<size_t>(n / block.elements) * block.bytes, '\0');
  random.fill(bytes);
  const float scale = tensor.deviation / layout.deviation;
  for (size_t at = 0; at < bytes.size(); at += block.bytes) {
    if (tensor.type == DType::kMxfp4) {  // a power of two
      bytes[at] = static_cast<char>(127 + std::lround(std::log2(scale)));
      continue;
    }
    put_half(bytes, at + layout.scale, scale);
    if (layout.min > 0) put_half(bytes, at + layout.min, scale * layout.middle);
  }
  return bytes;
}

void write(const Shape& shape, std::string_view quantisation, const std::string& path) {
  const std::vector<PlannedTensor> tensors = bench::plan(shape, quantisation);
  Metadata metadata;
  add_shape(metadata, shape);
  add_tokenizer(metadata, shape);
  std::string head = "GGUF" + le<uint32_t>(3) + le<uint64_t>(tensors.size()) +
                     le(metadata.count()) + metadata.bytes();
  uint64_t offset = 0;
  for (const PlannedTensor& t : tensors) {
    head += text(t.name) + le(static_cast<uint32_t>(t.ne.size()));
    for (const int64_t side : t.ne) head += le(side);
    head += le(static_cast<uint32_t>(t.type)) + le(offset);
    int64_t rows = 1;
    for (size_t k = 1; k < t.ne.size(); ++k) rows *= t.ne[k];
    offset += padded(model::dtype_row_bytes(t.type, t.ne[0]) * static_cast<size_t>(rows));
  }
  head.resize(padded(head.size()));
  std::ofstream out(path, std::ios::binary);
  out << head;
  Random random;
  for (const PlannedTensor& t : tensors) {
    std::string bytes = data_of(t, random);
    bytes.resize(padded(bytes.size()));
    out << bytes;
  }
  out.flush();
  if (!out) throw std::runtime_error("cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    for (const Shape& shape : bench::shapes()) {
      if (argc != 4 || shape.name != argv[1]) continue;
      write(shape, argv[2], argv[3]);
      return 0;
    }
    std::string names;
    for (const Shape& shape : bench::shapes())
      names += (names.empty() ? "" : "|") + std::string(shape.name);
    std::fprintf(stderr, "usage: bench-shapes %s q8_0|q4_0|q4_k|f16|mxfp4 OUT.gguf\n",
                 names.c_str());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-shapes: %s\n", error.what());
    return 1;
  }
}
