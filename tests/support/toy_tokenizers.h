// Vocabularies of a handful of tokens, as files.
#pragma once

#include "tests/support/gguf_bytes.h"

namespace tests {

// Tokens of single letters a..e and what the merges make of them.
inline GgufBytes toy_bpe() {
  GgufBytes g;
  g.string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", "gpt-2");
  g.strings("tokenizer.ggml.tokens", {"a", "b", "c", "ab", "bc", "abc", "\xC4\xA0",
                                      "\xC4\xA0"
                                      "a",
                                      "<|end|>"});
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1, 1, 1, 1, 1, 1, 3});
  g.strings("tokenizer.ggml.merges", {"b c", "a b", "a bc", "\xC4\xA0 a"});
  g.u32("tokenizer.ggml.eos_token_id", 8);
  return g;
}

// <unk> <s> and single letters, what they join to, and two bytes.
inline GgufBytes toy_spm() {
  GgufBytes g;
  g.string("tokenizer.ggml.model", "llama");
  g.strings("tokenizer.ggml.tokens",
            {"<unk>", "<s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "ab", "ba", "<0x7A>"});
  g.array<int32_t>("tokenizer.ggml.token_type", 5, {2, 3, 6, 1, 1, 1, 1, 1, 6});
  g.array<float>("tokenizer.ggml.scores", 6, {0, 0, 0, -9, -9, -9, -2, -1, 0});
  g.u32("tokenizer.ggml.bos_token_id", 1);
  return g;
}

}  // namespace tests
