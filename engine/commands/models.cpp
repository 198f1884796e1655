#include "engine/commands/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/standard_streams.h"
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
    row["problems"] = Json::array({found.problem.empty() ? std::string(line) : found.problem});
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

class Table {
 public:
  Table(const std::vector<FoundModel>& all, std::ostream& out) : out_(out) {
    for (const FoundModel& found : all) width_ = std::max(width_, found.name.size());
    width_ = std::min<size_t>(width_, 72);
    out_ << fmt::format("{:<{}}  {:<12} {:>10} {:>9}  {}\n", "-m", width_, "architecture",
                        "parameters", "size", "runs");
  }

  void add(const Json& row) {
    const Json& problems = row["problems"];
    const std::string runs =
        problems.empty()
            ? "yes"
            : "no: " + model::printable(problems[0].get_ref<const std::string&>(), 400);
    const Json& arch = row["architecture"];
    out_ << fmt::format(
        "{:<{}}  {:<12} {:>10} {:>9}  {}\n",
        model::printable(row["name"].get_ref<const std::string&>(), 300), width_,
        arch.is_null() ? "?" : model::printable(arch.get_ref<const std::string&>(), 40),
        short_number(row["parameters"].get<double>(), ""),
        short_number(row["bytes"].get<double>(), "B"), runs);
    out_.flush();  // the next may take a while
  }

 private:
  std::ostream& out_;
  size_t width_ = 4;
};

void print_nothing(const StoreFolders& folders, std::ostream& out) {
  out << "no models found in\n";
  for (const auto& folder : folders.stores())
    out << "  " << model::printable(folder.string(), 300) << "\n";
  if (!folders.working.empty()) out << "  the working folder\n";
}

}  // namespace

int models(const ModelsOptions& options, std::ostream& out) {
  const std::vector<FoundModel> all = find_models(options.folders);
  std::map<std::string, Json> known;  // by path: tags share files
  Json rows = Json::array();
  std::optional<Table> table;
  if (!options.json && !all.empty()) table.emplace(all, out);
  for (const FoundModel& found : all) {
    const bool seen = known.contains(found.path) && found.problem.empty();
    Json row = seen ? known[found.path] : describe(found);
    row["name"] = found.name;
    if (found.problem.empty()) known[found.path] = row;
    table ? table->add(row) : rows.push_back(std::move(row));
  }
  if (options.json) {
    // Names of files need not be UTF-8; JSON must be.
    out << rows.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else if (all.empty()) {
    print_nothing(options.folders, out);
  }
  for (const auto& folder : options.folders.stores()) {
    if (const std::string why = why_unreadable(folder); !why.empty()) {
      tell(
          fmt::format("{} cannot be looked into: {}", model::printable(folder.string(), 300), why));
    }
  }
  return static_cast<int>(fulgurite::ExitCode::kOk);
}

}  // namespace engine::commands
