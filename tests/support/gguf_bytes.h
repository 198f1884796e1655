// Builds GGUF files byte by byte, right or wrong in any place, apart from GgufWriter.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/tokenizer/bpe.h"
#include "model/utf8.h"
#include "tests/support/data.h"

namespace tests {

template <class T>
std::string le(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string text(const std::string& value) {
  return le<uint64_t>(value.size()) + value;
}

class GgufBytes {
 public:
  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t extra_tensors = 0;  // claimed in the header beyond those that are there
  uint64_t extra_kv = 0;
  size_t alignment = 32;

  struct Info {
    std::string name;
    std::vector<int64_t> ne;
    uint32_t type = 0;
    uint64_t offset = 0;
    std::string data;
  };
  std::vector<Info> tensors;

  // value: the type's number and the payload as the file has them.
  GgufBytes& raw(const std::string& key, uint32_t type, const std::string& payload) {
    for (auto& [known, bytes] : kv_) {
      if (known == key && !allow_duplicates) {
        bytes = le(type) + payload;
        return *this;
      }
    }
    kv_.emplace_back(key, le(type) + payload);
    return *this;
  }
  bool allow_duplicates = false;

  GgufBytes& remove(const std::string& key) {
    std::erase_if(kv_, [&](const auto& entry) { return entry.first == key; });
    return *this;
  }
  GgufBytes& u32(const std::string& key, uint32_t v) { return raw(key, 4, le(v)); }
  GgufBytes& i32(const std::string& key, int32_t v) { return raw(key, 5, le(v)); }
  GgufBytes& f32(const std::string& key, float v) { return raw(key, 6, le(v)); }
  GgufBytes& boolean(const std::string& key, bool v) { return raw(key, 7, le<uint8_t>(v)); }
  GgufBytes& string(const std::string& key, const std::string& v) { return raw(key, 8, text(v)); }
  GgufBytes& strings(const std::string& key, const std::vector<std::string>& v) {
    std::string payload = le<uint32_t>(8) + le<uint64_t>(v.size());
    for (const std::string& s : v) payload += text(s);
    return raw(key, 9, payload);
  }
  template <class T>
  GgufBytes& array(const std::string& key, uint32_t type, const std::vector<T>& v) {
    std::string payload = le(type) + le<uint64_t>(v.size());
    for (const T& x : v) payload += le(x);
    return raw(key, 9, payload);
  }

  // A tensor after the last one, filled with `bytes` zero bytes (F32: as its shape asks).
  GgufBytes& tensor(const std::string& name, std::vector<int64_t> ne, uint32_t type = 0,
                    size_t bytes = 0) {
    uint64_t offset = 0;
    for (const Info& t : tensors) offset = std::max(offset, t.offset + padded(t.data.size()));
    if (bytes == 0) {
      bytes = type == 1 ? 2 : 4;
      for (const int64_t n : ne) bytes *= static_cast<size_t>(n);
    }
    tensors.push_back({name, std::move(ne), type, offset, std::string(bytes, '\0')});
    return *this;
  }

  // Lays the tensors one after the other again, after some were taken out or changed.
  GgufBytes& pack() {
    uint64_t offset = 0;
    for (Info& t : tensors) {
      size_t bytes = t.type == 1 ? 2 : 4;
      for (const int64_t n : t.ne) bytes *= static_cast<size_t>(n);
      t.data.resize(bytes);
      t.offset = offset;
      offset += padded(bytes);
    }
    return *this;
  }

  std::string build() const {
    std::string out = magic + le(version) + le<uint64_t>(tensors.size() + extra_tensors) +
                      le<uint64_t>(kv_.size() + extra_kv);
    for (const auto& [key, value] : kv_) out += text(key) + value;
    for (const Info& t : tensors) {
      out += text(t.name) + le(static_cast<uint32_t>(t.ne.size()));
      for (const int64_t n : t.ne) out += le(n);
      out += le(t.type) + le(t.offset);
    }
    if (tensors.empty()) return out;
    out.resize(padded(out.size()));
    const size_t begin = out.size();
    for (const Info& t : tensors) {
      if (t.offset > (1U << 20)) continue;
      out.resize(std::max(out.size(), begin + t.offset + t.data.size()));
      out.replace(begin + t.offset, t.data.size(), t.data);
    }
    return out;
  }

 private:
  size_t padded(size_t n) const { return (n + alignment - 1) / alignment * alignment; }
  std::vector<std::pair<std::string, std::string>> kv_;
};

// A file over a copy of the bytes of exactly their size, so that a sanitizer sees every
// read beyond them.
struct LoadedGguf {
  std::vector<std::byte> bytes;
  model::ModelFile file;

  explicit LoadedGguf(const std::string& content)
      : bytes(as_bytes(content)), file(model::parse_gguf(bytes, "test.gguf")) {}

  static std::vector<std::byte> as_bytes(const std::string& content) {
    const auto* p = reinterpret_cast<const std::byte*>(content.data());
    return {p, p + content.size()};
  }
};

// The message of the Error that the bytes cause; it must be one line naming the file.
inline std::string refusal(const std::string& bytes) {
  try {
    LoadedGguf loaded(bytes);
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    EXPECT_CONTAINS(error.what(), "test.gguf: ");
    EXPECT_EQ(std::string::npos, std::string(error.what()).find("\n"));
    return error.what();
  }
  return "(accepted)";
}

// A complete small model of architecture llama: L=2 C=16 H=4 K=2 D=4 F=24 V=256, byte-level
// tokenizer with an empty merge list.
inline GgufBytes small_llama() {
  GgufBytes g;
  g.string("general.architecture", "llama").string("general.name", "small");
  g.u32("llama.block_count", 2).u32("llama.embedding_length", 16);
  g.u32("llama.feed_forward_length", 24).u32("llama.context_length", 32);
  g.u32("llama.attention.head_count", 4).u32("llama.attention.head_count_kv", 2);
  g.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) {
    tokens.emplace_back();
    model::append_utf8(tokens.back(), model::bpe_char_of_byte(static_cast<unsigned char>(b)));
  }
  g.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.tokens", tokens);
  g.strings("tokenizer.ggml.merges", {});
  g.tensor("token_embd.weight", {16, 256});
  for (const std::string blk : {"blk.0.", "blk.1."}) {
    g.tensor(blk + "attn_norm.weight", {16}).tensor(blk + "attn_q.weight", {16, 16});
    g.tensor(blk + "attn_k.weight", {16, 8}).tensor(blk + "attn_v.weight", {16, 8});
    g.tensor(blk + "attn_output.weight", {16, 16}).tensor(blk + "ffn_norm.weight", {16});
    g.tensor(blk + "ffn_gate.weight", {16, 24}).tensor(blk + "ffn_up.weight", {16, 24});
    g.tensor(blk + "ffn_down.weight", {24, 16});
  }
  g.tensor("output_norm.weight", {16});
  return g;
}

}  // namespace tests
