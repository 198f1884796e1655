#include "engine/model_store.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/error.h"
#include "model/format/hf_folder.h"
#include "model/format/json.h"
#include "model/format/mapping.h"
#include "model/utf8.h"

namespace engine {

using fulgurite::Error;
namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxEntries = 1 << 18;    // of a folder that are looked at
constexpr size_t kMaxTextBytes = 1 << 20;  // of a manifest

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

// A GGUF file that can be opened as a model: alone, or the first part of a split one. What makes
// pictures of models that see into vectors (mmproj) lies beside them and is none.
bool is_gguf(const fs::path& path) {
  const std::string name = model::lower_ascii(path.filename().string());
  if (!name.ends_with(".gguf") || !is_file(path)) return false;
  if (name.find("mmproj") != std::string::npos) return false;
  const size_t of = name.rfind("-of-");
  if (of == std::string::npos || of < 6 || name[of - 6] != '-') return true;
  const std::string part = name.substr(of - 5, 5);
  return part == "00001" || part.find_first_not_of("0123456789") != std::string::npos;
}

// Whether it has all the weights that it names, as a download that was broken off has not.
bool is_complete(const fs::path& folder) {
  try {
    const std::vector<std::string> files = model::hf_weight_files(folder.string());
    return std::all_of(files.begin(), files.end(),
                       [&](const std::string& file) { return is_file(folder / file); });
  } catch (const Error&) {
    return false;
  }
}

// The models in one repository's folder: itself, when it holds safetensors, and its GGUF files,
// also those one folder deeper, where large models keep their parts.
void add_repository(const fs::path& folder, const std::string& name,
                    std::vector<FoundModel>& found) {
  if (is_safetensors_folder(folder)) found.push_back({name, folder.string()});
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

// A repository's snapshots: the one that refs/main names, then the others, the newest first; what
// lacks some of its weights comes last.
std::vector<fs::path> snapshots_of(const fs::path& repository) {
  std::vector<fs::path> all = entries(repository / "snapshots");
  if (all.size() < 2) return all;
  const std::string main = trimmed_end(read_text(repository / "refs" / "main"));
  using Rank = std::tuple<bool, bool, fs::file_time_type>;
  std::vector<std::pair<Rank, fs::path>> ranked;
  for (fs::path& snapshot : all) {
    std::error_code ignored;
    const Rank rank(!is_safetensors_folder(snapshot) || is_complete(snapshot),
                    snapshot.filename() == main, fs::last_write_time(snapshot, ignored));
    ranked.emplace_back(rank, std::move(snapshot));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  all.clear();
  for (auto& [rank, snapshot] : ranked) all.push_back(std::move(snapshot));
  return all;
}

// Calls f(name, folder) for each of a cache's repositories, as `hf:` names them.
template <class F>
void for_each_hugging_face(const fs::path& cache, F&& f) {
  constexpr std::string_view kPrefix = "models--";
  for (const fs::path& repository : entries(cache)) {
    std::string name = repository.filename().string();
    if (!name.starts_with(kPrefix)) continue;
    name.erase(0, kPrefix.size());
    const size_t dashes = name.find("--");
    if (dashes != std::string::npos) name.replace(dashes, 2, "/");
    f("hf:" + name, repository);
  }
}

void find_hugging_face(const fs::path& cache, std::vector<FoundModel>& found) {
  for_each_hugging_face(cache, [&](const std::string& name, const fs::path& repository) {
    // What several hold is taken from the first: find_models() keeps one of each name.
    for (const fs::path& snapshot : snapshots_of(repository)) {
      add_repository(snapshot, name, found);
    }
  });
}

// What a manifest of Ollama gives as the model: without a path, none, and the problem says why.
FoundModel ollama_model(const fs::path& root, const fs::path& manifest, const std::string& name) {
  constexpr std::string_view kPrefix = "sha256:";
  FoundModel model{name, {}};
  const std::string pull = "`ollama pull " + name.substr(name.find(':') + 1) + "` fetches it again";
  const auto damaged = [&] {
    return FoundModel{name, {}, "has a damaged manifest in Ollama's store", pull};
  };
  try {
    const model::Json document = model::parse_json(read_text(manifest), manifest.string());
    for (const model::Json& layer : model::json_at(document, "layers")) {
      const std::string_view type = model::json_text(model::json_at(layer, "mediaType"));
      if (type == "application/vnd.ollama.image.adapter") {
        model.problem = "has an adapter (LoRA), which would not be applied";
        model.mend = "take the model it was made for";
      }
      if (type != "application/vnd.ollama.image.model" || !model.path.empty()) continue;
      std::string_view digest = model::json_text(model::json_at(layer, "digest"));
      if (!digest.starts_with(kPrefix)) return damaged();
      digest.remove_prefix(kPrefix.size());
      if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != digest.npos) {
        return damaged();
      }
      model.path = (root / "blobs" / ("sha256-" + std::string(digest))).string();
    }
  } catch (const Error&) {
    return damaged();
  }
  if (model.path.empty()) {
    model.problem = "names no GGUF file in Ollama's store";
    model.mend = "pull a model that Ollama keeps on this machine as GGUF";
  } else if (!is_file(model.path)) {
    model.problem = "is in Ollama's store, but its file " + model.path + " is missing";
    model.mend = pull;
  }
  return model;
}

// HOST/NAMESPACE/NAME, shortened as Ollama shows it.
std::string ollama_name(const std::string& host, const std::string& space,
                        const std::string& name) {
  if (host != "registry.ollama.ai") return host + "/" + space + "/" + name;
  return space == "library" ? name : space + "/" + name;
}

// Calls f(name, manifest) for each model of a store, as `ollama:` names them.
template <class F>
void for_each_ollama(const fs::path& root, F&& f) {
  for (const fs::path& host : entries(root / "manifests")) {
    for (const fs::path& space : entries(host)) {
      for (const fs::path& name : entries(space)) {
        for (const fs::path& tag : entries(name)) {
          f("ollama:" +
                ollama_name(host.filename().string(), space.filename().string(),
                            name.filename().string()) +
                ":" + tag.filename().string(),
            tag);
        }
      }
    }
  }
}

void find_ollama(const fs::path& root, std::vector<FoundModel>& found) {
  for_each_ollama(root, [&](const std::string& name, const fs::path& manifest) {
    FoundModel model = ollama_model(root, manifest, name);
    if (!model.path.empty()) found.push_back(std::move(model));
  });
}

template <class F>
void for_each_lm_studio(const fs::path& root, F&& f) {
  for (const fs::path& publisher : entries(root)) {
    for (const fs::path& repository : entries(publisher)) {
      const fs::path name = publisher.filename() / repository.filename();
      f("lmstudio:" + name.string(), repository);
    }
  }
}

void find_lm_studio(const fs::path& root, std::vector<FoundModel>& found) {
  for_each_lm_studio(root, [&](const std::string& name, const fs::path& repository) {
    add_repository(repository, name, found);
  });
}

// Why a repository that is there gives no model.
FoundModel unusable_repository(const std::string& name, const fs::path& repository) {
  bool unfinished = false;
  bool adapter = false;
  bool pickled = false;
  bool safetensors = false;
  bool gone = false;
  const auto look = [&](const fs::path& file) {
    const std::string extension = model::lower_ascii(file.extension().string());
    unfinished = unfinished || extension == ".incomplete" || extension == ".part";
    adapter = adapter || file.filename() == "adapter_config.json";
    pickled = pickled || extension == ".bin" || extension == ".pth" || extension == ".pt";
    safetensors = safetensors || extension == ".safetensors" || extension == ".gguf";
    std::error_code ignored;
    gone = gone || (fs::is_symlink(file, ignored) && !fs::exists(file, ignored));
  };
  for (const fs::path& folder : {repository, repository / "snapshots"}) {
    for (const fs::path& below : entries(folder)) {
      look(below);
      for (const fs::path& file : entries(below)) look(file);
    }
  }
  FoundModel model{name, {}, "holds no weights", "fetch GGUF files or safetensors of it"};
  if (unfinished) {
    model.problem = "is not downloaded to its end";
    model.mend = "fetch it again";
  } else if (gone) {
    model.problem = "names files that are no longer there";
    model.mend = "fetch it again";
  } else if (adapter) {
    model.problem = "is an adapter (LoRA), which changes another model";
    model.mend = "take the model it was made for";
  } else if (safetensors) {
    model.problem = "holds weights, but not as a model's folder does";
    model.mend = "name a file or folder in " + repository.string() + " with -m";
  } else if (pickled) {
    model.problem = "holds only pickled weights, which may hold programs and are not read";
    model.mend = "save it as safetensors, or fetch GGUF files of it";
  }
  return model;
}

// Where llama.cpp kept what it fetched: files by themselves, which are named by their paths.
void find_llama_cpp(const fs::path& folder, std::vector<FoundModel>& found) {
  for (FoundModel& file : gguf_files_in(folder)) found.push_back(std::move(file));
}

void find_here(const fs::path& folder, std::vector<FoundModel>& found) {
  const auto add = [&](const fs::path& path) {
    found.push_back({path.lexically_relative(folder).string(), path.string()});
  };
  if (is_safetensors_folder(folder)) add(folder);
  for (const fs::path& entry : entries(folder)) {
    if (is_gguf(entry)) add(entry);
    if (!is_folder(entry)) continue;
    if (is_safetensors_folder(entry)) add(entry);
    for (const fs::path& below : entries(entry)) {
      if (is_gguf(below)) add(below);
    }
  }
}

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

bool is_safetensors_folder(const fs::path& folder) {
  if (!model::is_hf_folder(folder.string())) return false;
  const std::vector<fs::path> files = entries(folder);
  return std::any_of(files.begin(), files.end(),
                     [](const fs::path& f) { return f.extension() == ".safetensors"; });
}

std::vector<FoundModel> gguf_files_in(const fs::path& folder) {
  std::vector<FoundModel> files;
  for (const fs::path& entry : entries(folder)) {
    if (is_gguf(entry)) files.push_back({entry.string(), entry.string()});
  }
  return files;
}

std::string why_unreadable(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator ignored(folder, error);
  return error == std::errc::permission_denied ? error.message() : std::string();
}

std::optional<FoundModel> find_unusable(const std::string& name, const StoreFolders& folders) {
  const std::string key = model::lower_ascii(name);
  std::optional<FoundModel> found;
  const auto repository = [&](const std::string& known, const fs::path& folder) {
    const std::string its = model::lower_ascii(known);
    if (!found && (key == its || key.starts_with(its + ":"))) {
      found = unusable_repository(known, folder);
    }
  };
  for (const fs::path& cache : folders.hugging_face) for_each_hugging_face(cache, repository);
  for (const fs::path& root : folders.lm_studio) for_each_lm_studio(root, repository);
  for (const fs::path& root : folders.ollama) {
    for_each_ollama(root, [&](const std::string& known, const fs::path& manifest) {
      const std::string its = model::lower_ascii(known);
      if (!found && (its == key || its == key + ":latest")) {
        found = ollama_model(root, manifest, known);
      }
    });
  }
  return found;
}

StoreFolders store_folders() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  const fs::path home = variable("HOME");
  // huggingface_hub takes ~ for the home in its variables.
  const auto hugging_face = [&](const char* name) {
    const std::string value = variable(name).string();
    if (home.empty() || (value != "~" && !value.starts_with("~/"))) return fs::path(value);
    return value.size() > 2 ? home / value.substr(2) : home;
  };
  const auto at_home = [&](const char* below) { return home.empty() ? fs::path() : home / below; };
  StoreFolders folders;
  const auto add = [](std::vector<fs::path>& list, const fs::path& path) {
    if (!path.empty()) list.push_back(path);
  };
  const fs::path cache =
      variable("XDG_CACHE_HOME").empty() ? at_home(".cache") : hugging_face("XDG_CACHE_HOME");
  const fs::path hub = variable("HF_HUB_CACHE").empty() ? hugging_face("HUGGINGFACE_HUB_CACHE")
                                                        : hugging_face("HF_HUB_CACHE");
  if (!hub.empty()) {
    add(folders.hugging_face, hub);
  } else if (const fs::path hf = hugging_face("HF_HOME"); !hf.empty()) {
    add(folders.hugging_face, hf / "hub");
  } else if (!cache.empty()) {
    add(folders.hugging_face, cache / "huggingface" / "hub");
  }
  // llama.cpp's newer versions lay out what they fetch as Hugging Face's cache, the older ones side
  // by side.
  const fs::path llama_cpp = variable("LLAMA_CACHE");
  add(folders.hugging_face, llama_cpp);
  if (!llama_cpp.empty() || !cache.empty())
    add(folders.llama_cpp, llama_cpp.empty() ? cache / "llama.cpp" : llama_cpp);
  const fs::path ollama = variable("OLLAMA_MODELS");
  add(folders.ollama, ollama.empty() ? at_home(".ollama/models") : ollama);
  // Where the services of its installer, of Arch and of its snap have their home.
  for (const char* service : {"/usr/share/ollama/.ollama/models", "/var/lib/ollama/.ollama/models",
                              "/var/snap/ollama/common/models"}) {
    add(folders.ollama, service);
  }
  if (!home.empty()) folders.lm_studio = lm_studio_folders(home);
  folders.working = ".";
  return folders;
}

std::vector<fs::path> StoreFolders::stores() const {
  std::vector<fs::path> all;
  for (const auto* list : {&hugging_face, &ollama, &lm_studio, &llama_cpp}) {
    for (const fs::path& folder : *list) {
      if (std::find(all.begin(), all.end(), folder) == all.end()) all.push_back(folder);
    }
  }
  return all;
}

std::vector<FoundModel> find_models(const StoreFolders& folders) {
  std::vector<FoundModel> found;
  for (const fs::path& folder : folders.hugging_face) find_hugging_face(folder, found);
  for (const fs::path& folder : folders.ollama) find_ollama(folder, found);
  for (const fs::path& folder : folders.lm_studio) find_lm_studio(folder, found);
  for (const fs::path& folder : folders.llama_cpp) find_llama_cpp(folder, found);
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

}  // namespace engine
