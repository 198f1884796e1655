// Folders of families that the shared data has none of: written from this repository's GGUF files
// under the names and settings of transformers (src/transformers/models/*), then read again.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "model/arch/registry.h"
#include "model/error.h"
#include "model/format/open.h"
#include "tests/support/data.h"
#include "tests/support/oracle.h"
#include "tests/support/safetensors_bytes.h"

namespace {

using model::ModelFile;
using model::Tensor;
using nlohmann::json;

struct FolderOf {
  const char* gguf;
  json settings;                             // what this family's config.json has beside the sizes
  std::map<std::string, std::string> names;  // of tensors of a layer, by their GGUF names
  bool halves = false;                       // q and k are kept in halves, in GGUF in pairs
};

// Names that most families share.
const std::map<std::string, std::string> kUsual = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},       {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},       {"output", "lm_head"},
};

const std::vector<FolderOf>& folders() {
  static const std::map<std::string, std::string> of_olmo = {
      {"post_attention_norm", "post_attention_layernorm"},
      {"post_ffw_norm", "post_feedforward_layernorm"}};
  static const std::vector<FolderOf> all = {
      {"olmo2", {{"model_type", "olmo2"}}, of_olmo},
      {"olmo3",
       {{"model_type", "olmo3"},
        {"sliding_window", 6},
        {"layer_types",
         {"sliding_attention", "sliding_attention", "sliding_attention", "full_attention"}},
        {"rope_scaling",
         {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}}}},
       of_olmo},
      {"smollm3",
       {{"model_type", "smollm3"}, {"no_rope_layers", {1, 1, 1, 0}}, {"no_rope_layer_interval", 4}},
       {},
       true},
      {"granite",
       {{"model_type", "granite"},
        {"tie_word_embeddings", true},
        {"embedding_multiplier", 12.0},
        {"residual_multiplier", 0.22},
        {"attention_multiplier", 0.2},
        {"logits_scaling", 2.0}},
       {},
       true},
      {"glm4",
       {{"model_type", "glm4"}, {"partial_rotary_factor", 0.5}, {"attention_bias", true}},
       {{"post_attention_norm", "post_self_attn_layernorm"},
        {"post_ffw_norm", "post_mlp_layernorm"},
        {"ffn_up", "mlp.gate_up_proj"}}},
      {"starcoder2",
       {{"model_type", "starcoder2"}, {"hidden_act", "gelu_pytorch_tanh"}, {"use_bias", true}},
       {{"ffn_up", "mlp.c_fc"}, {"ffn_down", "mlp.c_proj"}}},
  };
  return all;
}

std::string hf_name(const FolderOf& folder, const std::string& gguf) {
  const size_t dot = gguf.rfind('.');
  std::string stem = gguf.substr(0, dot);
  std::string prefix;
  if (stem.starts_with("blk.")) {
    const size_t end = stem.find('.', 4);
    prefix = "model.layers." + stem.substr(4, end - 3);
    stem = stem.substr(end + 1);
  }
  const auto own = folder.names.find(stem);
  return prefix + (own != folder.names.end() ? own->second : kUsual.at(stem)) + gguf.substr(dot);
}

// Rows (2 i, 2 i + 1) of each head as (i, i + D/2).
std::string rows_in_halves(const Tensor& t, int64_t heads) {
  const int64_t d = t.rows() / heads;
  const auto row_bytes = static_cast<size_t>(t.cols()) * sizeof(float);
  std::string bytes(t.bytes(), '\0');
  for (int64_t r = 0; r < t.rows(); ++r) {
    const int64_t in_head = r % d;
    const int64_t to = r - in_head + in_head / 2 + (in_head % 2) * (d / 2);
    std::memcpy(bytes.data() + static_cast<size_t>(to) * row_bytes, t.row(r), row_bytes);
  }
  return bytes;
}

tests::HfMemory folder_of(const FolderOf& what, const ModelFile& gguf) {
  const model::Config c = model::read_config(gguf);
  tests::HfMemory memory;
  const char* epsilon = c.norm == model::NormKind::kRms ? "rms_norm_eps" : "norm_epsilon";
  memory.config = {{"vocab_size", c.n_vocab},         {"hidden_size", c.n_embd},
                   {"intermediate_size", c.n_ff},     {"num_hidden_layers", c.n_layer},
                   {"num_attention_heads", c.n_head}, {"num_key_value_heads", c.n_head_kv},
                   {"head_dim", c.head_dim},          {"max_position_embeddings", c.n_ctx},
                   {"rope_theta", c.rope_base},       {epsilon, c.norm_eps}};
  memory.config.update(what.settings);
  for (const Tensor& t : gguf.tensors()) {
    std::vector<int64_t> shape = {t.cols()};
    if (t.rows() > 1) shape.insert(shape.begin(), t.rows());
    std::string data(reinterpret_cast<const char*>(t.data), t.bytes());
    if (what.halves && t.name.ends_with("attn_q.weight")) data = rows_in_halves(t, c.n_head);
    if (what.halves && t.name.ends_with("attn_k.weight")) data = rows_in_halves(t, c.n_head_kv);
    memory.weights.raw(hf_name(what, t.name), "F32", shape, data);
  }
  return memory;
}

std::vector<float> logits_of(const ModelFile& file) {
  const auto network = model::make_model(file);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 24; ++i) ids.push_back((i * 37 + 11) % 320);
  model::KvCache cache(network->config(), std::ssize(ids));
  std::vector<float> logits(ids.size() * 320);
  network->forward(ids, 0, cache, logits.data(), std::ssize(ids), nullptr);
  return logits;
}

TEST(HfFamilies, AFolderGivesTheLogitsOfItsGguf) {
  for (const FolderOf& what : folders()) {
    const ModelFile gguf =
        model::open_model(tests::model_path("own/" + std::string(what.gguf)).string());
    tests::HfMemory memory = folder_of(what, gguf);
    const ModelFile folder = memory.open();
    EXPECT_LE(tests::relative_rms(logits_of(folder), logits_of(gguf)), 1e-6) << what.gguf;
  }
}

std::string refusal(size_t which, const json& settings) {
  const FolderOf& what = folders()[which];
  const ModelFile gguf =
      model::open_model(tests::model_path("own/" + std::string(what.gguf)).string());
  tests::HfMemory memory = folder_of(what, gguf);
  memory.config.update(settings);
  try {
    const ModelFile folder = memory.open();
    return {};
  } catch (const fulgurite::Error& error) {
    return error.what();
  }
}

TEST(HfFamilies, WhatWouldChangeTheNumbersIsRefused) {
  constexpr size_t kOlmo3 = 1, kSmolLm3 = 2, kGranite = 3, kStarCoder2 = 5;
  EXPECT_CONTAINS(refusal(kSmolLm3, {{"no_rope_layers", {1, 0, 1, 0}}}), "every fourth");
  EXPECT_CONTAINS(refusal(kSmolLm3, {{"no_rope_layers", nullptr}, {"no_rope_layer_interval", 2}}),
                  "every fourth");
  EXPECT_CONTAINS(refusal(kSmolLm3, {{"no_rope_layers", {1, 1, 1}}}), "as many entries");
  EXPECT_CONTAINS(refusal(kGranite, {{"residual_multiplier", 0.0}}), "is not positive");
  EXPECT_CONTAINS(refusal(kStarCoder2, {{"use_bias", false}}), "use_bias is off");
  EXPECT_CONTAINS(
      refusal(kOlmo3, {{"rope_parameters", {{"sliding_attention", {{"rope_theta", 1e4}}}}}}),
      "two values of rope_theta");
}

}  // namespace
