#include "model/arch/registry.h"

#include <array>
#include <limits>

#include "model/arch/decoder.h"
#include "model/arch/families.h"
#include "model/arch/keys.h"
#include "model/utf8.h"

namespace model {

namespace {

struct Family {
  std::string_view architecture;  // general.architecture
  Config (*read)(const Keys&);
};

constexpr std::array kFamilies = {
    Family{"llama", read_llama},
    Family{"gpt2", read_gpt2},
    Family{"gptneox", read_gptneox},
    Family{"qwen2", read_qwen2},
    Family{"qwen2moe", read_qwen2moe},
    Family{"qwen3", read_qwen3},
    Family{"qwen3moe", read_qwen3moe},
    Family{"gemma", read_gemma},
    Family{"gemma2", read_gemma2},
    Family{"gemma3", read_gemma3},
    Family{"phi2", read_phi2},
    Family{"phi3", read_phi3},
    Family{"olmoe", read_olmoe},
    Family{"olmo2", read_olmo2},
    Family{"smollm3", read_smollm3},
    Family{"granite", read_granite},
    Family{"glm4", read_glm4},
    Family{"starcoder2", read_starcoder2},
    Family{"qwen2vl", read_qwen2},
    Family{"qwen3vl", read_qwen3},
    Family{"ernie4_5", read_llama},
    Family{"gpt-oss", read_gpt_oss},
    Family{"mistral3", read_mistral3},
    Family{"exaone4", read_exaone4},
    Family{"granitemoe", read_granite},
    Family{"minicpm", read_minicpm},
    Family{"command-r", read_command_r},
    Family{"cohere2", read_cohere2},
    Family{"stablelm", read_stablelm},
    Family{"hunyuan-dense", read_hunyuan_dense},
    Family{"internlm2", read_llama},
    Family{"seed_oss", read_qwen2},
    Family{"deepseek", read_deepseek},
    Family{"deepseek2", read_deepseek2},
    Family{"bailingmoe", read_deepseek},
    Family{"bailingmoe2", read_bailingmoe2},
    Family{"dots1", read_bailingmoe2},
    Family{"glm4moe", read_glm4moe},
    Family{"ernie4_5-moe", read_ernie4_5_moe},
};

}  // namespace

// Types as gguf-py's constants.py has them (GGUFType).
std::string other_than_model(const ModelFile& file) {
  const std::string type = file.get_string("general.type", "model");
  if (type == "adapter") return "an adapter (LoRA)";
  if (type == "imatrix") return "an importance matrix";
  if (type == "mmproj") return "the part that sees or hears for a model";
  return {};
}

Config read_config(const ModelFile& file) {
  if (const std::string other = other_than_model(file); !other.empty())
    file.fail("is " + other + ", not a model", "name the model that it was made for");
  // Not needed, but numbers in every file that is whole.
  constexpr int64_t kAny = std::numeric_limits<uint32_t>::max();
  for (const char* key : {"general.file_type", "general.quantization_version"}) {
    file.get_int(key, 0, kAny, 0);
  }
  const std::string wanted = file.get_string("general.architecture");
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.architecture == wanted) return family.read(Keys(file));
    known += (known.empty() ? "" : ", ") + std::string(family.architecture);
  }
  file.fail("the architecture " + quoted(wanted) + " is not supported", "known: " + known);
}

std::unique_ptr<Model> make_model(const ModelFile& file, int threads) {
  return std::make_unique<Decoder>(file, read_config(file), threads);
}

}  // namespace model
