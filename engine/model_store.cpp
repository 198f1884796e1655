#include "engine/model_store.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/edit_distance.h"
#include "model/error.h"
#include "model/format/hf_folder.h"
#include "model/format/json.h"
#include "model/format/mapping.h"
#include "model/utf8.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;
namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxEntries = 10000;      // of a folder that are looked at
constexpr size_t kMaxTextBytes = 1 << 20;  // of a manifest
constexpr size_t kNearMisses = 3;

// What a folder holds, sorted by name; nothing when it cannot be read.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (found.size() == kMaxEntries) break;
    found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool is_folder(const fs::path& path) noexcept {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}
bool is_file(const fs::path& path) noexcept {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// A small text; empty when it is missing, too large or no regular file.
std::string read_text(const fs::path& path) {
  try {
    const auto mapping = model::Mapping::open(path.string());
    if (mapping->bytes().size() > kMaxTextBytes) return {};
    return {reinterpret_cast<const char*>(mapping->bytes().data()), mapping->bytes().size()};
  } catch (const Error&) {
    return {};
  }
}

std::string trimmed_end(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// A GGUF file that can be opened as a model: alone, or the first part of a split one. What makes
// pictures of models that see into vectors (mmproj) lies beside them and is none.
bool is_gguf(const fs::path& path) {
  const std::string name = lower(path.filename().string());
  if (!name.ends_with(".gguf") || !is_file(path)) return false;
  if (name.find("mmproj") != std::string::npos) return false;
  const size_t of = name.rfind("-of-");
  if (of == std::string::npos || of < 6 || name[of - 6] != '-') return true;
  const std::string part = name.substr(of - 5, 5);
  return part == "00001" || part.find_first_not_of("0123456789") != std::string::npos;
}

// A folder that Hugging Face's libraries would take for a model.
bool holds_safetensors(const fs::path& folder) {
  if (!model::is_hf_folder(folder.string())) return false;
  const std::vector<fs::path> files = entries(folder);
  return std::any_of(files.begin(), files.end(),
                     [](const fs::path& f) { return f.extension() == ".safetensors"; });
}

// The models in one repository's folder: itself, when it holds safetensors, and its GGUF files,
// also those one folder deeper, where large models keep their parts.
void add_repository(const fs::path& folder, const std::string& name,
                    std::vector<FoundModel>& found) {
  if (holds_safetensors(folder)) found.push_back({name, folder.string()});
  for (const fs::path& entry : entries(folder)) {
    if (is_gguf(entry)) {
      found.push_back({name + ":" + entry.filename().string(), entry.string()});
    } else if (is_folder(entry)) {
      for (const fs::path& part : entries(entry)) {
        if (!is_gguf(part)) continue;
        const fs::path below = entry.filename() / part.filename();
        found.push_back({name + ":" + below.string(), part.string()});
      }
    }
  }
}

// A repository's snapshots: the one that refs/main names, then the others, the newest first.
std::vector<fs::path> snapshots_of(const fs::path& repository) {
  const std::string main = trimmed_end(read_text(repository / "refs" / "main"));
  std::vector<fs::path> all = entries(repository / "snapshots");
  const auto order = [&](const fs::path& snapshot) {
    std::error_code ignored;
    return std::pair(snapshot.filename() == main, fs::last_write_time(snapshot, ignored));
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const fs::path& a, const fs::path& b) { return order(a) > order(b); });
  return all;
}

void find_hugging_face(const fs::path& cache, std::vector<FoundModel>& found) {
  constexpr std::string_view kPrefix = "models--";
  for (const fs::path& repository : entries(cache)) {
    std::string name = repository.filename().string();
    if (!name.starts_with(kPrefix)) continue;
    name.erase(0, kPrefix.size());
    const size_t dashes = name.find("--");
    if (dashes != std::string::npos) name.replace(dashes, 2, "/");
    // What several hold is taken from the first: find_models() keeps one of each name.
    for (const fs::path& snapshot : snapshots_of(repository)) {
      add_repository(snapshot, "hf:" + name, found);
    }
  }
}

// What a manifest of Ollama gives as the model, its name left empty; nothing when it gives none.
std::optional<FoundModel> ollama_model(const fs::path& root, const fs::path& manifest) {
  constexpr std::string_view kPrefix = "sha256:";
  FoundModel model;
  try {
    const model::Json document = model::parse_json(read_text(manifest), manifest.string());
    for (const model::Json& layer : model::json_at(document, "layers")) {
      const std::string_view type = model::json_text(model::json_at(layer, "mediaType"));
      if (type == "application/vnd.ollama.image.adapter") {
        model.problem = "has an adapter (LoRA), which would not be applied";
      }
      if (type != "application/vnd.ollama.image.model" || !model.path.empty()) continue;
      std::string_view digest = model::json_text(model::json_at(layer, "digest"));
      if (!digest.starts_with(kPrefix)) return std::nullopt;
      digest.remove_prefix(kPrefix.size());
      if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != digest.npos) {
        return std::nullopt;
      }
      model.path = (root / "blobs" / ("sha256-" + std::string(digest))).string();
    }
  } catch (const Error&) {
    return std::nullopt;
  }
  return model.path.empty() ? std::nullopt : std::optional(model);
}

// HOST/NAMESPACE/NAME, shortened as Ollama shows it.
std::string ollama_name(const std::string& host, const std::string& space,
                        const std::string& name) {
  if (host != "registry.ollama.ai") return host + "/" + space + "/" + name;
  return space == "library" ? name : space + "/" + name;
}

void find_ollama(const fs::path& root, std::vector<FoundModel>& found) {
  for (const fs::path& host : entries(root / "manifests")) {
    for (const fs::path& space : entries(host)) {
      for (const fs::path& name : entries(space)) {
        for (const fs::path& tag : entries(name)) {
          std::optional<FoundModel> model = ollama_model(root, tag);
          if (!model) continue;
          const std::string shown = ollama_name(host.filename().string(), space.filename().string(),
                                                name.filename().string()) +
                                    ":" + tag.filename().string();
          model->name = "ollama:" + shown;
          found.push_back(*std::move(model));
        }
      }
    }
  }
}

void find_lm_studio(const fs::path& root, std::vector<FoundModel>& found) {
  for (const fs::path& publisher : entries(root)) {
    for (const fs::path& repository : entries(publisher)) {
      const fs::path name = publisher.filename() / repository.filename();
      add_repository(repository, "lmstudio:" + name.string(), found);
    }
  }
}

void find_here(const fs::path& folder, std::vector<FoundModel>& found) {
  const auto add = [&](const fs::path& path) {
    found.push_back({path.lexically_relative(folder).string(), path.string()});
  };
  if (holds_safetensors(folder)) add(folder);
  for (const fs::path& entry : entries(folder)) {
    if (is_gguf(entry)) add(entry);
    if (!is_folder(entry)) continue;
    if (holds_safetensors(entry)) add(entry);
    for (const fs::path& below : entries(entry)) {
      if (is_gguf(below)) add(below);
    }
  }
}

std::string listed(const std::vector<FoundModel>& models, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(models.size(), most); ++i) {
    text += (text.empty() ? "" : ", ") + model::printable(models[i].name, 200);
  }
  return models.size() > most ? text + ", ..." : text;
}

[[noreturn]] void fail_several(const std::string& name, const std::vector<FoundModel>& models) {
  throw Error(ExitCode::kBadModel, "means " + std::to_string(models.size()) + " models", name,
              listed(models, 8));
}

// The GGUF file that a folder which is no model itself holds; the folder where it holds none.
std::string only_gguf_of(const std::string& folder) {
  if (holds_safetensors(folder)) return folder;
  std::vector<FoundModel> files;
  for (const fs::path& entry : entries(folder)) {
    if (is_gguf(entry)) files.push_back({entry.string(), entry.string()});
  }
  if (files.size() > 1) fail_several(model::printable(folder, 200), files);
  return files.empty() ? folder : files.front().path;
}

// Whether the word stands in the text, with nothing before and behind it that could belong to it.
bool has_word(std::string_view text, std::string_view word) {
  const auto of_words = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const size_t behind = at + word.size();
    if ((at == 0 || !of_words(text[at - 1])) && (behind == text.size() || !of_words(text[behind])))
      return true;
  }
  return false;
}

// Ollama leaves out its own registry and library, but takes their names.
std::string without_defaults(std::string wanted) {
  constexpr std::string_view kOllama = "ollama:";
  for (const std::string_view usual : {"registry.ollama.ai/", "library/"}) {
    if (wanted.starts_with(kOllama) && wanted.compare(kOllama.size(), usual.size(), usual) == 0) {
      wanted.erase(kOllama.size(), usual.size());
    }
  }
  return wanted;
}

// Those that `wanted` can mean: itself, to the letter or else nearly; else its `latest`; else
// everything below it; else the files of its repository that have the word after the last colon in
// their names, by itself or else within another.
std::vector<FoundModel> meanings(const std::string& name, const std::vector<FoundModel>& all) {
  const std::string wanted = without_defaults(name);
  for (const std::string& exact : {wanted, wanted + ":latest"}) {
    for (const FoundModel& m : all) {
      if (m.name == exact) return {m};
    }
  }
  const std::string key = lower(wanted);
  const auto matching = [&](auto&& fits) {
    std::vector<FoundModel> some;
    for (const FoundModel& m : all) {
      if (fits(lower(m.name))) some.push_back(m);
    }
    return some;
  };
  const size_t colon = key.rfind(':');
  const std::string before = key.substr(0, colon + 1);
  const std::string word = key.substr(colon + 1);
  std::vector<FoundModel> some = matching([&](const std::string& n) { return n == key; });
  if (some.empty()) {
    some = matching([&](std::string n) {
      if (const size_t last = n.rfind(':'); last != n.npos) n[last] = '/';
      return n == key;
    });
  }
  if (some.empty()) some = matching([&](const std::string& n) { return n == key + ":latest"; });
  if (some.empty()) some = matching([&](const std::string& n) { return n.starts_with(key + ":"); });
  if (!some.empty() || word.empty() || before.find(':') + 1 >= before.size()) return some;
  some = matching([&](const std::string& n) {
    return n.starts_with(before) && has_word(std::string_view(n).substr(before.size()), word);
  });
  if (some.empty()) {
    some = matching([&](const std::string& n) {
      return n.starts_with(before) && n.find(word, before.size()) != n.npos;
    });
  }
  return some;
}

struct Scheme {
  std::string_view prefix;
  const char* store;
  std::vector<fs::path> StoreFolders::*folders;
};
constexpr std::array kSchemes = {
    Scheme{"hf:", "the Hugging Face cache", &StoreFolders::hugging_face},
    Scheme{"ollama:", "Ollama's store", &StoreFolders::ollama},
    Scheme{"lmstudio:", "LM Studio's folders", &StoreFolders::lm_studio},
};

// The folder for models that LM Studio's settings name; empty when they name none.
fs::path downloads_folder(const fs::path& settings) {
  try {
    const model::Json document = model::parse_json(read_text(settings), settings.string());
    return model::json_text(model::json_at(document, "downloadsFolder"));
  } catch (const Error&) {
    return {};
  }
}

// LM Studio has its data in the folder that a file at home names (lmstudio-bug-tracker, issue 553),
// or where its newer and older versions put it, and its models below that or where it was told.
std::vector<fs::path> lm_studio_folders(const fs::path& home) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& folder) {
    const fs::path normal = folder.lexically_normal();
    const bool known = std::find(folders.begin(), folders.end(), normal) != folders.end();
    if (normal.is_absolute() && !known) folders.push_back(normal);
  };
  const fs::path named = trimmed_end(read_text(home / ".lmstudio-home-pointer"));
  for (const fs::path& data : {named, home / ".lmstudio", home / ".cache/lm-studio"}) {
    if (!data.is_absolute()) continue;
    add(downloads_folder(data / "settings.json"));
    add(data / "models");
  }
  return folders;
}

}  // namespace

StoreFolders store_folders() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  const fs::path home = variable("HOME");
  // huggingface_hub takes ~ for the home in its variables.
  const auto hugging_face = [&](const char* name) {
    const std::string value = variable(name).string();
    return value.starts_with("~/") && !home.empty() ? home / value.substr(2) : fs::path(value);
  };
  const auto at_home = [&](const char* below) { return home.empty() ? fs::path() : home / below; };
  StoreFolders folders;
  const auto add = [](std::vector<fs::path>& list, const fs::path& path) {
    if (!path.empty()) list.push_back(path);
  };
  const fs::path cache =
      variable("XDG_CACHE_HOME").empty() ? at_home(".cache") : variable("XDG_CACHE_HOME");
  const fs::path hub = variable("HF_HUB_CACHE").empty() ? hugging_face("HUGGINGFACE_HUB_CACHE")
                                                        : hugging_face("HF_HUB_CACHE");
  if (!hub.empty()) {
    add(folders.hugging_face, hub);
  } else if (const fs::path hf = hugging_face("HF_HOME"); !hf.empty()) {
    add(folders.hugging_face, hf / "hub");
  } else if (!cache.empty()) {
    add(folders.hugging_face, cache / "huggingface" / "hub");
  }
  const fs::path ollama = variable("OLLAMA_MODELS");
  add(folders.ollama, ollama.empty() ? at_home(".ollama/models") : ollama);
  add(folders.ollama, "/usr/share/ollama/.ollama/models");
  if (!home.empty()) folders.lm_studio = lm_studio_folders(home);
  folders.working = ".";
  return folders;
}

std::vector<FoundModel> find_models(const StoreFolders& folders) {
  std::vector<FoundModel> found;
  for (const fs::path& folder : folders.hugging_face) find_hugging_face(folder, found);
  for (const fs::path& folder : folders.ollama) find_ollama(folder, found);
  for (const fs::path& folder : folders.lm_studio) find_lm_studio(folder, found);
  if (!folders.working.empty()) find_here(folders.working, found);
  // Of two stores with one name the first is the one that is meant.
  std::stable_sort(found.begin(), found.end(),
                   [](const FoundModel& a, const FoundModel& b) { return a.name < b.name; });
  found.erase(
      std::unique(found.begin(), found.end(),
                  [](const FoundModel& a, const FoundModel& b) { return a.name == b.name; }),
      found.end());
  return found;
}

std::string resolve_model(const std::string& name, const StoreFolders& folders) {
  const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(),
                                   [&](const Scheme& s) { return name.starts_with(s.prefix); });
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) return only_gguf_of(name);
  if (scheme == kSchemes.end() || fs::exists(name, ignored)) return name;

  StoreFolders only;
  only.*(scheme->folders) = folders.*(scheme->folders);
  std::vector<FoundModel> all = find_models(only);
  const std::vector<FoundModel> some = meanings(name, all);
  const std::string shown = model::printable(name, 200);
  if (some.size() == 1 && some.front().problem.empty()) return some.front().path;
  if (some.size() == 1) {
    throw Error(ExitCode::kBadModel, some.front().problem, shown, "take the model it was made for");
  }
  if (some.size() > 1) fail_several(shown, some);
  std::string where;
  for (const fs::path& folder : only.*(scheme->folders)) {
    where += (where.empty() ? "looked in " : ", ") + model::printable(folder.string(), 200);
  }
  const std::string what = "is not in " + std::string(scheme->store);
  if (all.empty()) throw Error(ExitCode::kBadModel, what + ", which holds no model", shown, where);
  const std::string key = lower(name).substr(0, 200);
  std::stable_sort(all.begin(), all.end(), [&](const FoundModel& a, const FoundModel& b) {
    return edit_distance(key, lower(a.name).substr(0, 200)) <
           edit_distance(key, lower(b.name).substr(0, 200));
  });
  throw Error(ExitCode::kBadModel, what, shown, "nearest: " + listed(all, kNearMisses));
}

std::string resolve_model(const std::string& name) {
  return resolve_model(name, store_folders());
}

}  // namespace engine
