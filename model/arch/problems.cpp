// What stops a file from being run; declared in model/format/model_file.h.
#include "model/arch/weights.h"
#include "model/error.h"
#include "model/tokenizer/tokenizer.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

std::vector<std::string> find_problems(const ModelFile& file) {
  std::vector<std::string> problems;
  const std::string prefix = file.name() + ": ";
  // Collects instead of throwing; the sentences go without the file's name.
  const auto attempt = [&](auto&& f) {
    try {
      f();
      return true;
    } catch (const Error& error) {
      std::string line = error.what();
      if (line.starts_with(prefix)) line.erase(0, prefix.size());
      problems.push_back(std::move(line));
      return false;
    }
  };
  Config config;
  if (!attempt([&] { config = read_config(file); })) return problems;
  attempt([&] { make_tokenizer(file); });
  read_weights(file, config, &problems);
  return problems;
}

void require_runnable(const ModelFile& file) {
  const std::vector<std::string> problems = find_problems(file);
  if (problems.empty()) return;
  std::string line = problems.front();
  if (problems.size() > 1) {
    line += "; and " + std::to_string(problems.size() - 1) + " more";
  }
  throw Error(ExitCode::kBadModel, line, file.name(), "`fulgurite inspect` lists all problems");
}

}  // namespace model
