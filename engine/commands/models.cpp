#include "engine/commands/models.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "model/error.h"
#include "model/format/open.h"
#include "model/utf8.h"

namespace engine::commands {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const FoundModel& found) {
  Json row = {{"name", found.name},       {"path", found.path}, {"architecture", nullptr},
              {"parameters", 0},          {"bytes", 0},         {"runnable", false},
              {"problems", Json::array()}};
  try {
    const model::ModelFile file = model::open_model(found.path);
    int64_t parameters = 0;
    for (const model::Tensor& t : file.tensors()) parameters += t.elements();
    row["parameters"] = parameters;
    row["bytes"] = file.file_bytes();
    row["problems"] = model::find_problems(file);
    if (!found.problem.empty()) row["problems"].push_back(found.problem);
    row["runnable"] = row["problems"].empty();
    row["architecture"] = file.get_string("general.architecture");
  } catch (const fulgurite::Error& error) {
    std::string_view line = error.what();
    const std::string prefix = found.path + ": ";
    if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
    row["problems"] = Json::array({std::string(line)});
    row["runnable"] = false;
  }
  return row;
}

// 1234567 -> "1.2 M"
std::string short_number(double n, const char* unit) {
  constexpr std::string_view kPrefixes = " kMGTP";
  size_t i = 0;
  while (n >= 999.5 && i + 1 < kPrefixes.size()) {
    n /= 1000.0;
    ++i;
  }
  const std::string prefix = i == 0 ? "" : std::string(1, kPrefixes[i]);
  return fmt::format("{:.{}f} {}{}", n, i > 0 && n < 99.5 ? 1 : 0, prefix, unit);
}

void print_table(const Json& rows, std::ostream& out) {
  size_t width = 4;
  for (const Json& row : rows) {
    width = std::max(width, row["name"].get_ref<const std::string&>().size());
  }
  width = std::min<size_t>(width, 72);
  out << fmt::format("{:<{}}  {:<12} {:>10} {:>9}  {}\n", "-m", width, "architecture", "parameters",
                     "size", "runs");
  for (const Json& row : rows) {
    const Json& problems = row["problems"];
    const std::string runs =
        problems.empty()
            ? "yes"
            : "no: " + model::printable(problems[0].get_ref<const std::string&>(), 400);
    const Json& arch = row["architecture"];
    out << fmt::format(
        "{:<{}}  {:<12} {:>10} {:>9}  {}\n",
        model::printable(row["name"].get_ref<const std::string&>(), 300), width,
        arch.is_null() ? "?" : model::printable(arch.get_ref<const std::string&>(), 40),
        short_number(row["parameters"].get<double>(), ""),
        short_number(row["bytes"].get<double>(), "B"), runs);
  }
}

void print_nothing(const StoreFolders& folders, std::ostream& out) {
  out << "no models found in\n";
  for (const auto* list : {&folders.hugging_face, &folders.ollama, &folders.lm_studio}) {
    for (const auto& folder : *list) out << "  " << model::printable(folder.string(), 300) << "\n";
  }
  if (!folders.working.empty()) out << "  the working folder\n";
}

}  // namespace

int models(const ModelsOptions& options, std::ostream& out) {
  Json rows = Json::array();
  for (const FoundModel& found : find_models(options.folders)) rows.push_back(describe(found));
  if (options.json) {
    // Names of files need not be UTF-8; JSON must be.
    out << rows.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else if (rows.empty()) {
    print_nothing(options.folders, out);
  } else {
    print_table(rows, out);
  }
  return static_cast<int>(fulgurite::ExitCode::kOk);
}

}  // namespace engine::commands
