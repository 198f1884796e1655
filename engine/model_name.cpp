#include "engine/model_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "engine/edit_distance.h"
#include "model/error.h"
#include "model/format/open.h"
#include "model/utf8.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;
namespace fs = std::filesystem;

namespace {

constexpr size_t kNearMisses = 3;

std::string listed(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) {
    text += (text.empty() ? "" : ", ") + model::printable(names[i], 200);
  }
  return names.size() > most ? text + ", ..." : text;
}

std::vector<std::string> names_of(const std::vector<FoundModel>& models) {
  std::vector<std::string> names;
  for (const FoundModel& m : models) names.push_back(m.name);
  return names;
}

[[noreturn]] void fail_several(const std::string& name, const std::vector<FoundModel>& models) {
  throw Error(ExitCode::kBadModel, "may mean " + std::to_string(models.size()) + " models", name,
              listed(names_of(models), 8));
}

// What files and folders are called is data, too.
[[noreturn]] void fail_with(const FoundModel& found, const std::string& name) {
  throw Error(ExitCode::kBadModel, model::printable(found.problem, 400),
              model::printable(name, 200), model::printable(found.mend, 400));
}

// LoRA adapters and importance matrices lie beside models.
bool is_other_than_model(const std::string& path) {
  try {
    return !model::other_than_model(model::open_model(path)).empty();
  } catch (const Error&) {
    return false;
  }
}

// The one of several that is a model, if only one is; else all that are.
std::vector<FoundModel> models_among(std::vector<FoundModel> files) {
  if (files.size() < 2) return files;
  std::vector<FoundModel> models;
  std::copy_if(files.begin(), files.end(), std::back_inserter(models),
               [](const FoundModel& f) { return !is_other_than_model(f.path); });
  return models.empty() ? files : models;
}

// The GGUF file that a folder which is no model itself holds; the folder where it holds none.
std::string only_gguf_of(const std::string& folder) {
  if (is_safetensors_folder(folder)) return folder;
  const std::string shown = model::printable(folder, 200);
  if (const std::string why = why_unreadable(folder); !why.empty())
    throw Error(ExitCode::kBadModel, "cannot be looked into: " + why, shown);
  const std::vector<FoundModel> files = models_among(gguf_files_in(folder));
  if (files.size() > 1) fail_several(shown, files);
  return files.empty() ? folder : files.front().path;
}

// Whether what stands at i belongs to a word or a number: 5b is no word of 0.5b.
bool is_of_word(std::string_view text, size_t i) {
  if (i >= text.size()) return false;
  const auto digit = [&](size_t k) {
    return k < text.size() && std::isdigit(static_cast<unsigned char>(text[k])) != 0;
  };
  if (text[i] == '.') return i > 0 && digit(i - 1) && digit(i + 1);
  return text[i] == '_' || std::isalnum(static_cast<unsigned char>(text[i])) != 0;
}

// Whether the text has the word by itself, or else, not whole, where one begins.
bool has_word(std::string_view text, std::string_view word, bool whole) {
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const size_t behind = at + word.size();
    if ((at == 0 || !is_of_word(text, at - 1)) && (!whole || !is_of_word(text, behind)))
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
// everything below it; else the files of its repository in whose names the word after the last
// colon stands, by itself or else where one begins. Ollama's tags have no such parts.
std::vector<FoundModel> meanings(const std::string& name, const std::vector<FoundModel>& all) {
  const std::string wanted = without_defaults(name);
  for (const std::string& exact : {wanted, wanted + ":latest"}) {
    for (const FoundModel& m : all) {
      if (m.name == exact) return {m};
    }
  }
  const std::string key = model::lower_ascii(wanted);
  const auto matching = [&](auto&& fits) {
    std::vector<FoundModel> some;
    for (const FoundModel& m : all) {
      if (fits(model::lower_ascii(m.name))) some.push_back(m);
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
  if (!some.empty() || word.empty() || before.find(':') + 1 >= before.size() ||
      before.starts_with("ollama:"))
    return some;
  for (const bool whole : {true, false}) {
    some = matching([&](const std::string& n) {
      return n.starts_with(before) &&
             has_word(std::string_view(n).substr(before.size()), word, whole);
    });
    if (!some.empty()) break;
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

const Scheme* scheme_of(std::string_view name) {
  const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(),
                                   [&](const Scheme& s) { return name.starts_with(s.prefix); });
  return scheme == kSchemes.end() ? nullptr : &*scheme;
}

// What a page of Hugging Face, or another way to write a store's name, would be with a scheme:
// https://huggingface.co/ORG/REPO/blob/main/FILE -> hf:ORG/REPO:FILE. Empty: it is no such thing.
std::string with_scheme(std::string name) {
  const std::string small = model::lower_ascii(name);
  for (const Scheme& s : kSchemes) {
    if (small.starts_with(s.prefix)) return std::string(s.prefix) + name.substr(s.prefix.size());
  }
  for (const std::string_view start : {"https://", "http://"}) {
    if (small.starts_with(start)) name.erase(0, start.size());
  }
  for (const std::string_view host : {"www.huggingface.co/", "huggingface.co/", "hf.co/"}) {
    if (!model::lower_ascii(name).starts_with(host)) continue;
    name.erase(0, host.size());
    const size_t repository = name.find('/');
    const size_t rest = repository == name.npos ? name.npos : name.find('/', repository + 1);
    if (rest == name.npos) return "hf:" + name;
    const std::string below = name.substr(rest);
    name.erase(rest);
    for (const std::string_view page : {"/blob/main/", "/resolve/main/"}) {
      if (below.starts_with(page))
        return "hf:" + name + ":" + below.substr(page.size(), below.find('?') - page.size());
    }
    return "hf:" + name;
  }
  constexpr std::string_view kOllama = "ollama/";
  return small.starts_with(kOllama) ? "ollama:" + name.substr(kOllama.size()) : std::string();
}

constexpr std::array<std::string_view, 5> kFileEndings = {".gguf", ".mcap", ".json", ".safetensors",
                                                          ".txt"};

// A path that leads nowhere may be the name of something in a store.
void suggest_stored(const std::string& name, const StoreFolders& folders) {
  StoreFolders stores = folders;
  stores.working.clear();
  const std::vector<FoundModel> all = find_models(stores);
  std::vector<std::string> meant = {with_scheme(name)};
  if (meant.front().empty()) {
    meant.clear();
    for (const Scheme& s : kSchemes) meant.push_back(std::string(s.prefix) + name);
  }
  std::vector<FoundModel> some;
  for (const std::string& one : meant) {
    for (FoundModel& m : meanings(one, all)) some.push_back(std::move(m));
  }
  const std::string shown = model::printable(name, 200);
  if (!some.empty()) {
    throw Error(ExitCode::kBadModel, "no such file", shown,
                "did you mean " + listed(names_of(some), kNearMisses) + "?");
  }
  for (const std::string& one : meant) {
    if (const auto there = find_unusable(one, stores)) fail_with(*there, there->name);
  }
  if (name.starts_with("http://") || name.starts_with("https://")) {
    throw Error(ExitCode::kBadModel, "is an address, and nothing is fetched", shown,
                "download it, and name the file or folder");
  }
  const bool is_path = std::any_of(kFileEndings.begin(), kFileEndings.end(),
                                   [&](auto ending) { return name.ends_with(ending); });
  if (name.find('/') == name.npos && !is_path) {
    throw Error(ExitCode::kBadModel, "no such file, and no model of this name", shown,
                "`fulgurite models` lists those of this machine");
  }
}

[[noreturn]] void fail_unknown(const std::string& name, const Scheme& scheme,
                               const StoreFolders& folders, const std::vector<FoundModel>& all) {
  const std::string shown = model::printable(name, 200);
  const auto there = find_unusable(without_defaults(name), folders);
  const auto is_of_it_there = [&](const FoundModel& m) {
    return m.name == there->name || m.name.starts_with(there->name + ":");
  };
  if (there && std::none_of(all.begin(), all.end(), is_of_it_there)) fail_with(*there, name);
  std::string where;
  for (const fs::path& folder : folders.*(scheme.folders)) {
    const std::string of = model::printable(folder.string(), 200);
    where += (where.empty() ? "looked in " : ", ") + of;
    if (const std::string why = why_unreadable(folder); !why.empty()) {
      throw Error(ExitCode::kBadModel, "may be in " + of + ", which cannot be looked into: " + why,
                  shown, "run as its owner, or join its group");
    }
  }
  const std::string what = "is not in " + std::string(scheme.store);
  if (all.empty())
    throw Error(ExitCode::kBadModel, what + "; no model was found there", shown, where);
  // Of a repository that is there, its own files.
  std::vector<std::string> names = names_of(all);
  const std::string of_it = model::lower_ascii(name.substr(0, name.rfind(':') + 1));
  const auto is_of_it = [&](const std::string& n) {
    return of_it.size() > scheme.prefix.size() && model::lower_ascii(n).starts_with(of_it);
  };
  if (std::any_of(names.begin(), names.end(), is_of_it))
    std::erase_if(names, std::not_fn(is_of_it));
  names = nearest(name, std::move(names), kNearMisses + 1);
  throw Error(ExitCode::kBadModel, what, shown, "nearest: " + listed(names, kNearMisses));
}

}  // namespace

std::string resolve_model(const std::string& name, const StoreFolders& folders) {
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) return only_gguf_of(name);
  if (name.empty() || fs::exists(name, ignored)) return name;
  const Scheme* scheme = scheme_of(name);
  if (scheme == nullptr) {
    suggest_stored(name, folders);
    return name;
  }
  StoreFolders only;
  only.*(scheme->folders) = folders.*(scheme->folders);
  const std::vector<FoundModel> all = find_models(only);
  const std::vector<FoundModel> some = models_among(meanings(name, all));
  if (some.empty()) fail_unknown(name, *scheme, only, all);
  const std::string shown = model::printable(name, 200);
  if (some.size() > 1) fail_several(shown, some);
  const FoundModel& found = some.front();
  if (!found.problem.empty()) fail_with(found, name);
  return found.path;
}

std::string resolve_model(const std::string& name) {
  return resolve_model(name, store_folders());
}

}  // namespace engine
