// Models of every family and of several formats, small enough to be run again and again.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace tests {

// Names as tests::model_path takes them. Of tests/data one for every way that a family goes:
inline constexpr const char* kOwnFamilies[] = {"own/olmo2",
                                               "own/olmo3",
                                               "own/smollm3",
                                               "own/granite",
                                               "own/glm4",
                                               "own/starcoder2",
                                               "own/gpt-oss",
                                               "own/gpt-oss-mxfp4",
                                               "own/mistral3",
                                               "own/exaone4",
                                               "own/granitemoe",
                                               "own/minicpm",
                                               "own/hunyuan-dense",
                                               "own/cohere2",
                                               "own/stablelm",
                                               "own/deepseek",
                                               "own/glm4moe",
                                               "own/bailingmoe2",
                                               "own/granitemoe-shared",
                                               "own/deepseek2",
                                               "own/deepseek2-joined"};

inline std::vector<std::string> every_family() {
  std::vector<std::string> list = {"synth/llama-gqa-f16",
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
                                   "real/shakespeare-llama-f16",
                                   "real/shakespeare-llama-q8_0",
                                   "real/shakespeare-llama-q4_k_m",
                                   "real/shakespeare-gpt2-q6_k"};
  list.insert(list.end(), std::begin(kOwnFamilies), std::end(kOwnFamilies));
  return list;
}

// Names tests after their models.
struct TestName {
  template <class T>
  std::string operator()(const ::testing::TestParamInfo<T>& info) const {
    std::string name = info.param;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '-' || c == '/' || c == '.'; }, '_');
    return name;
  }
};

}  // namespace tests
