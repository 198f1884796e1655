// open_gguf: one file, or the parts that one was split into (llama.cpp's gguf-split).
#include <cstdio>
#include <filesystem>
#include <string>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/format/mapping.h"
#include "model/format/ollama.h"
#include "model/utf8.h"

namespace model {
namespace {

constexpr size_t kMostTensors = 65536;  // of all parts; published models have some thousands
constexpr int64_t kMaxParts = 65535;    // split.count is a u16

ModelFile open_one(const std::string& path) {
  std::shared_ptr<const Mapping> mapping = Mapping::open(path);
  ModelFile file = parse_gguf(mapping->bytes(), path);
  file.keep(std::move(mapping));
  return file;
}

std::string suffix_of(int64_t part, int64_t count) {
  char text[40];
  std::snprintf(text, sizeof text, "-%05d-of-%05d.gguf", static_cast<int>(part + 1),
                static_cast<int>(count));
  return text;
}

// "NAME" of "NAME-00002-of-00003.gguf".
std::string stem_of(const ModelFile& file, int64_t part, int64_t count) {
  const std::string suffix = suffix_of(part, count);
  if (!file.name().ends_with(suffix)) {
    file.fail("is part " + std::to_string(part + 1) + " of " + std::to_string(count) +
                  " of a split model, but is not named so",
              "call it NAME" + suffix);
  }
  return file.name().substr(0, file.name().size() - suffix.size());
}

void check_part(const ModelFile& part, int64_t index, int64_t count) {
  if (part.get_int("split.no", 0, kMaxParts) != index ||
      part.get_int("split.count", 0, kMaxParts) != count) {
    part.fail("says that it is another part than its name does", "fetch it again");
  }
}

ModelFile open_all(const std::string& path) {
  ModelFile file = open_one(path);
  const int64_t count = file.get_int("split.count", 0, kMaxParts, 1);
  if (count <= 1) return file;
  const int64_t number = file.get_int("split.no", 0, kMaxParts);
  if (number >= count) {
    file.fail("is part " + std::to_string(number + 1) + " of " + std::to_string(count),
              "damaged; fetch it again");
  }
  const std::string stem = stem_of(file, number, count);
  if (number != 0) {
    file.fail("is part " + std::to_string(number + 1) + " of " + std::to_string(count) +
                  " of a split model",
              "open the first: " + stem + suffix_of(0, count));
  }
  for (int64_t i = 1; i < count; ++i) {
    const std::string next = stem + suffix_of(i, count);
    std::error_code ignored;
    if (!std::filesystem::exists(next, ignored)) {
      file.fail("part " + std::to_string(i + 1) + " of " + std::to_string(count) +
                    " is missing beside it",
                "fetch " + next);
    }
    const ModelFile part = open_one(next);
    check_part(part, i, count);
    for (const char* key : {"general.architecture", "general.name"}) {
      if (part.find(key) && (!file.find(key) || *part.find(key) != *file.find(key)))
        part.fail("belongs to another model: its " + std::string(key) + " is not the first part's",
                  "fetch it again");
    }
    if (file.tensors().size() + part.tensors().size() > kMostTensors) {
      part.fail("there are more than " + std::to_string(kMostTensors) +
                " tensors up to this part of the model");
    }
    for (const Tensor& tensor : part.tensors()) {
      if (!file.add(tensor))
        part.fail("tensor " + model::quoted(tensor.name) + " is in another part too");
    }
    file.add_bytes(part.file_bytes());
    file.keep(part);
  }
  const auto tensors = static_cast<int64_t>(file.tensors().size());
  if (file.get_int("split.tensors.count", 0, int64_t{1} << 31, tensors) != tensors) {
    file.fail("all parts together have " + std::to_string(tensors) +
                  " tensors, not as many as split.tensors.count says",
              "fetch them again");
  }
  return file;
}

}  // namespace

ModelFile open_gguf(const std::string& path) {
  ModelFile file = open_all(path);
  mend_file_of_ollama(file);
  return file;
}

}  // namespace model
