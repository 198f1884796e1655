// Models of every family and of several formats, small enough to be run again and again.
#pragma once

namespace tests {

// Names as tests::model_path takes them.
inline constexpr const char* kEveryFamily[] = {"synth/llama-gqa-f16",
                                               "synth/llama-gqa-q8_0",
                                               "synth/llama3-style",
                                               "synth/mixtral",
                                               "synth/qwen2",
                                               "synth/qwen2moe",
                                               "synth/qwen3",
                                               "synth/qwen3moe",
                                               "synth/olmoe",
                                               "synth/gemma",
                                               "synth/gemma2",
                                               "synth/gemma3",
                                               "synth/phi2",
                                               "synth/phi3",
                                               "synth/gpt2",
                                               "synth/gptneox",
                                               "own/olmo2",
                                               "own/olmo3",
                                               "own/smollm3",
                                               "own/granite",
                                               "own/glm4",
                                               "own/starcoder2",
                                               "own/gpt-oss",
                                               "own/gpt-oss-mxfp4",
                                               "real/shakespeare-llama-f16",
                                               "real/shakespeare-llama-q8_0",
                                               "real/shakespeare-llama-q4_k_m",
                                               "real/shakespeare-gpt2-q6_k"};

}  // namespace tests
