// fuzz-seeds FOLDER: small inputs of the right form for every fuzz target, FOLDER/TARGET/NAME, from
// which libFuzzer finds its way faster than from nothing.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "engine/trace/file.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/toy_tokenizers.h"
#include "tests/support/trace_builder.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Folder {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) { fs::create_directories(path_); }
  void add(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }

 private:
  fs::path path_;
};

// One layer of a model of eight, with the vocabulary of `g`.
std::string tiny_model(tests::GgufBytes g, const std::string& arch, uint32_t tokens) {
  g.string("general.architecture", arch).u32(arch + ".block_count", 1);
  g.u32(arch + ".embedding_length", 8).u32(arch + ".feed_forward_length", 4);
  g.u32(arch + ".context_length", 8).u32(arch + ".attention.head_count", 2);
  g.f32(arch + ".attention.layer_norm_rms_epsilon", 1e-5F);
  g.f32(arch + ".attention.layer_norm_epsilon", 1e-5F);
  g.tensor("token_embd.weight", {8, tokens}).tensor("output_norm.weight", {8});
  for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
    g.tensor("blk.0." + std::string(name) + ".weight", {8, 8}, 1);
  }
  g.tensor("blk.0.attn_norm.weight", {8}).tensor("blk.0.ffn_norm.weight", {8});
  g.tensor("blk.0.ffn_gate.weight", {8, 4}).tensor("blk.0.ffn_up.weight", {8, 4});
  return g.tensor("blk.0.ffn_down.weight", {4, 8}).build();
}

void gguf(const Folder& folder) {
  folder.add("bpe", tiny_model(tests::toy_bpe(), "llama", 9));
  folder.add("spm", tiny_model(tests::toy_spm(), "gemma2", 9));
  folder.add("ids", tiny_model(tests::GgufBytes()
                                   .string("tokenizer.ggml.model", "no_vocab")
                                   .u32("qwen3moe.vocab_size", 4)
                                   .u32("qwen3moe.expert_count", 2)
                                   .u32("qwen3moe.expert_used_count", 1),
                               "qwen3moe", 4));
  folder.add("long", tiny_model(tests::toy_spm()
                                    .string("phi3.rope.scaling.type", "longrope")
                                    .u32("phi3.rope.scaling.original_context_length", 4)
                                    .u32("general.alignment", 64),
                                "phi3", 9));
  folder.add("yarn", tiny_model(tests::toy_spm()
                                    .string("qwen3.rope.scaling.type", "yarn")
                                    .f32("qwen3.rope.scaling.factor", 4)
                                    .u32("qwen3.rope.scaling.original_context_length", 4),
                                "qwen3", 9));
  folder.add("windows", tiny_model(tests::toy_spm()
                                       .u32("gemma3.attention.sliding_window", 4)
                                       .array<uint8_t>("gemma3.attention.sliding_window_pattern", 7,
                                                       std::vector<uint8_t>{1}),
                                   "gemma3", 9));
  folder.add("ollama", tiny_model(tests::toy_bpe()
                                      .u32("gptoss.attention.sliding_window", 4)
                                      .u32("gptoss.expert_count", 2)
                                      .u32("gptoss.expert_used_count", 1)
                                      .f32("gptoss.rope.scaling.factor", 4)
                                      .tensor("blk.0.attn_sinks", {2})
                                      .tensor("blk.0.ffn_gate_exps.weight", {8, 4, 2})
                                      .tensor("blk.0.ffn_gate_exps.bias", {4, 2}),
                                  "gptoss", 9));
  folder.add("grows", tiny_model(tests::toy_spm()
                                     .string("mistral3.rope.scaling.type", "yarn")
                                     .f32("mistral3.rope.scaling.factor", 4)
                                     .u32("mistral3.rope.scaling.original_context_length", 4)
                                     .f32("mistral3.rope.scaling.yarn_log_multiplier", 1)
                                     .f32("mistral3.attention.temperature_scale", 0.1F),
                                 "mistral3", 9));
}

void safetensors(const Folder& folder) {
  const json vocab = {{"a", 0}, {"b", 1}, {"ab", 2}, {"<0x0A>", 3}, {"<s>", 4}};
  const json added = json::array({{{"id", 4}, {"content", "<s>"}, {"special", true}}});
  const json bpe = {{"added_tokens", added},
                    {"pre_tokenizer", {{"type", "ByteLevel"}, {"use_regex", true}}},
                    {"decoder", {{"type", "ByteLevel"}}},
                    {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}}};
  const json spm = {
      {"added_tokens", added},
      {"pre_tokenizer", {{"type", "Metaspace"}, {"prepend_scheme", "first"}}},
      {"model",
       {{"type", "BPE"}, {"byte_fallback", true}, {"vocab", vocab}, {"merges", {{"a", "b"}}}}}};
  const json settings = {{"bos_token", "<s>"}, {"add_bos_token", true}, {"chat_template", "x"}};
  for (const char* type : {"llama", "gpt2", "gpt_neox", "gemma3_text", "phi3", "qwen3_moe"}) {
    json config = tests::small_config(type);
    config["num_experts"] = 2;
    config["num_experts_per_tok"] = 1;
    config["moe_intermediate_size"] = 4;
    if (std::string_view(type).starts_with("gemma")) config["layer_types"] = {"sliding_attention"};
    config["sliding_window"] = 4;
    config["rope_scaling"] = {{"type", "yarn"}, {"factor", 4}, {"beta_fast", 32}};
    const std::string zero(1, '\0');
    const std::string weights = tests::SafetensorsBytes()
                                    .f32("model.norm.weight", {8})
                                    .f32("model.embed_tokens.weight", {6, 8})
                                    .build();
    folder.add(type, config.dump() + zero + (type[0] == 'g' ? bpe : spm).dump() + zero +
                         settings.dump() + zero + weights);
  }
}

// A model of one layer as a trace tells it, with all that can be said of a conversation. Without
// the checksums of its chunks (MCAP's specification: zero where there is none), so that a changed
// byte is read.
void trace_file(const fs::path& path, bool mixture) {
  trace::ModelRecord model = tests::small_model();
  model.layers = 1;
  model.heads = model.kv_heads = 2;
  model.neurons = mixture ? 60 : 8;
  model.buckets = mixture ? 20 : 4;
  trace::Log log;
  {
    trace::FileWriter writer(log, path);
    tests::TraceBuilder builder(log, model);
    builder.describe();
    if (mixture) builder.structure(tests::small_mixture());
    builder.start();
    builder.step(2);
    builder.answer(1, 1, {1.0F, 2.0F});
    builder.lens(1);
    builder.attribution(1);
    builder.note(trace::NoteKind::kInfo, "a note");
    builder.go_on(1, 1);
    builder.step();
    writer.finish();
  }
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  constexpr size_t kMagic = 8, kHead = 9, kChunk = 6;
  for (size_t at = kMagic; at + kHead < bytes.size();) {
    uint64_t length;
    std::memcpy(&length, &bytes[at + 1], sizeof length);
    if (bytes[at] == kChunk) {
      file.seekp(static_cast<std::streamoff>(at + kHead + 24));
      file.write("\0\0\0\0", 4);
    }
    at += kHead + length;
  }
}

void traces(const fs::path& folder) {
  fs::create_directories(folder);
  trace_file(folder / "dense", false);
  trace_file(folder / "mixture", true);
}

// What the first bytes choose is in the targets' own sources.
void by_first_byte(const Folder& folder, char modes, size_t bytes) {
  for (char mode = 0; mode < modes; ++mode) {
    std::string input(1, mode);
    for (size_t i = 0; i < bytes; ++i) input += static_cast<char>(37 * i + 11);
    folder.add("mode-" + std::to_string(mode), input);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("fuzz-seeds FOLDER: writes inputs to begin with\n", stderr);
    return 2;
  }
  const fs::path root = argv[1];
  gguf(Folder(root / "gguf"));
  safetensors(Folder(root / "safetensors"));
  by_first_byte(Folder(root / "tokenizer"), 4, 80);
  by_first_byte(Folder(root / "dequantize"), 16, 288);
  by_first_byte(Folder(root / "quantize"), 8, 1024);
  traces(root / "trace");
  return 0;
}
