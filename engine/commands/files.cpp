#include "engine/commands/files.h"

#include <iostream>
#include <memory>

#include "engine/commands/flags.h"
#include "engine/commands/inspect.h"
#include "engine/commands/models.h"
#include "engine/commands/quantize.h"

namespace engine::commands {

void add_files(const std::function<CLI::App&(const char* name, const char* what)>& add,
               std::span<const std::byte> builtin, int& exit_code) {
  const auto inspected = std::make_shared<InspectOptions>();
  CLI::App& inspector = add("inspect", "say what a model file or a trace holds");
  inspector.add_option("FILE,-m,--model", inspected->model_path,
                       "the model, or a trace; without it, the built-in model");
  inspector.add_flag("--json", inspected->json, "as JSON");
  inspector.callback([inspected, builtin, &exit_code] {
    inspected->builtin = builtin;
    exit_code = inspect(*inspected, std::cout);
  });

  const auto as_json = std::make_shared<bool>(false);
  CLI::App& list = add("models", "list the models on this machine and how to name them");
  list.add_flag("--json", *as_json, "as JSON");
  list.callback([as_json, &exit_code] {
    ModelsOptions options;
    options.json = *as_json;
    exit_code = models(options, std::cout);
  });

  const auto smaller = std::make_shared<QuantizeOptions>();
  CLI::App& quantizer = add("quantize", "store a model's weights in fewer bits");
  quantizer.add_option("IN", smaller->input, "the model")->required();
  quantizer.add_option("OUT", smaller->output, "the GGUF file to write")->required();
  quantizer.add_option("TYPE", smaller->type, "Q8_0, Q6_K, Q5_0, Q4_0, Q4_K, F16, BF16 or F32")
      ->required();
  quantizer.add_option("-t,--threads", smaller->threads, "threads; 0: as many as the machine has")
      ->check(CLI::Range(0, 256));
  quantizer.callback([smaller, builtin, &exit_code] {
    smaller->builtin = builtin;
    refuse_same_file(smaller->output, {smaller->input});
    exit_code = quantize(*smaller, std::cout);
  });
}

}  // namespace engine::commands
