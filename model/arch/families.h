// Every architecture family: what its metadata means, for the registry alone.
#pragma once

#include "model/arch/keys.h"

namespace model {

// Each in the file of its family; throws Error (bad_model) where the metadata is at fault.
Config read_llama(const Keys& keys);
Config read_gpt2(const Keys& keys);
Config read_gptneox(const Keys& keys);
Config read_qwen2(const Keys& keys);
Config read_qwen2moe(const Keys& keys);
Config read_qwen3(const Keys& keys);
Config read_qwen3moe(const Keys& keys);
Config read_gemma(const Keys& keys);
Config read_gemma2(const Keys& keys);
Config read_gemma3(const Keys& keys);
Config read_phi2(const Keys& keys);
Config read_phi3(const Keys& keys);
Config read_olmoe(const Keys& keys);
Config read_olmo2(const Keys& keys);
Config read_smollm3(const Keys& keys);
Config read_granite(const Keys& keys);
Config read_mistral3(const Keys& keys);
Config read_exaone4(const Keys& keys);
Config read_minicpm(const Keys& keys);
Config read_command_r(const Keys& keys);
Config read_cohere2(const Keys& keys);
Config read_stablelm(const Keys& keys);
Config read_hunyuan_dense(const Keys& keys);
Config read_gpt_oss(const Keys& keys);
Config read_glm4(const Keys& keys);
Config read_glm4moe(const Keys& keys);
Config read_deepseek(const Keys& keys);
Config read_deepseek2(const Keys& keys);
Config read_bailingmoe2(const Keys& keys);
Config read_ernie4_5_moe(const Keys& keys);
Config read_starcoder2(const Keys& keys);

}  // namespace model
