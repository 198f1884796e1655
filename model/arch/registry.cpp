#include "model/arch/registry.h"

#include <array>

#include "model/arch/families.h"
#include "model/error.h"

namespace model {

namespace {

struct Family {
  std::string_view architecture;  // general.architecture
  std::unique_ptr<Model> (*make)(const ModelFile&);
};

constexpr std::array kFamilies = {Family{"llama", make_llama}};

}  // namespace

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const Family& family : kFamilies) names.push_back(family.architecture);
  return names;
}

std::unique_ptr<Model> make_model(const ModelFile& file) {
  const std::string wanted = file.get_string("general.architecture");
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.architecture == wanted) return family.make(file);
    known += (known.empty() ? "" : ", ") + std::string(family.architecture);
  }
  throw fulgurite::Error(fulgurite::ExitCode::kBadModel,
                         "its architecture '" + wanted + "' is not known", file.name(),
                         "known: " + known);
}

}  // namespace model
