#include "model/format/hf_folder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

#include "model/error.h"
#include "model/format/hf_config.h"
#include "model/format/hf_names.h"
#include "model/format/json.h"
#include "model/format/mapping.h"
#include "model/format/owned_tensor.h"
#include "model/format/safetensors.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr size_t kMaxTokenizerBytes = size_t{1} << 26;  // of tokenizer.json
constexpr size_t kMaxIndexBytes = size_t{1} << 24;      // of model.safetensors.index.json
constexpr size_t kMaxConfigBytes = size_t{1} << 22;     // of the others, which have some KB
constexpr int64_t kMostOfVector = int64_t{1} << 24;     // numbers that are widened or made

float element(const Tensor& t, int64_t i) {
  if (t.dtype == DType::kF32) {
    float value = 0.0F;
    std::memcpy(&value, t.data + 4 * i, 4);
    return value;
  }
  uint16_t bits = 0;
  std::memcpy(&bits, t.data + 2 * i, 2);
  if (t.dtype == DType::kF16) return f32_from_f16(bits);
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);  // bfloat16
}

// Gives every tensor its GGUF name, shape and layout and adds it to the file.
class Importer {
 public:
  // document: the whole config.json.
  Importer(ModelFile& file, std::string_view arch, const Json& document)
      : file_(file),
        arch_(arch),
        config_(hf_text_config(document)),
        tied_(hf_ties_embeddings(document, arch)) {}

  void note_names(const std::vector<StoredTensor>& stored) {
    for (const StoredTensor& s : stored) {
      has_embedding_ = has_embedding_ || gguf_tensor_name(s.name, arch_) == "token_embd.weight";
    }
  }

  void add(const StoredTensor& stored) {
    std::string name = gguf_tensor_name(stored.name, arch_);
    if (name.empty() || is_of_another_part(stored.name)) return;
    if (name == "output.weight" && tied_) {
      if (has_embedding_) return;
      name = "token_embd.weight";
    }
    Tensor t = shaped(stored, std::move(name));
    const std::string shown = model::quoted(stored.name);
    if (!place(std::move(t))) file_.fail("tensor " + shown + " is there twice");
  }

 private:
  // What a model that also sees has beside its text model.
  static bool is_of_another_part(std::string_view name) {
    return name.starts_with("vision_tower.") || name.starts_with("multi_modal_projector.") ||
           name.starts_with("model.vision_tower.") ||
           name.starts_with("model.multi_modal_projector.");
  }

  Tensor shaped(const StoredTensor& stored, std::string name) const {
    const std::string what = "tensor " + model::quoted(stored.name);
    Tensor t;
    t.name = std::move(name);
    if (stored.dtype == "F32") {
      t.dtype = DType::kF32;
    } else if (stored.dtype == "F16") {
      t.dtype = DType::kF16;
    } else if (stored.dtype == "BF16") {
      t.dtype = DType::kBF16;
    } else {
      file_.fail(what + " is of type " + std::string(stored.dtype) + ", which is not supported",
                 "F32, F16 and BF16 are");
    }
    if (stored.shape.empty() || stored.shape.size() > 4) {
      file_.fail(what + " has " + std::to_string(stored.shape.size()) + " dimensions", "1 to 4");
    }
    if (stored.data.empty()) file_.fail(what + " is empty");
    std::copy(stored.shape.rbegin(), stored.shape.rend(), t.ne.begin());
    t.data = stored.data.data();
    return t;
  }

  bool place(Tensor t) {
    const bool vector = t.rows() == 1;
    if (arch_.starts_with("gemma") && t.name.ends_with("norm.weight")) {
      return make(std::move(t), [](const Tensor& from, int64_t i) { return element(from, i) + 1; });
    }
    if (arch_ == "gptneox" && t.name.find("attn_qkv.") != std::string::npos) return regroup(t);
    if (arch_ == "gpt2" && t.name.starts_with("blk.") && t.ne[1] > 1) return transpose(t);
    if (vector && t.dtype != DType::kF32) return make(std::move(t), element);
    const size_t size = dtype_block(t.dtype).bytes;
    if (reinterpret_cast<uintptr_t>(t.data) % size != 0) {
      const size_t bytes = t.bytes();
      return keep(std::move(t), std::vector<std::byte>(t.data, t.data + bytes));
    }
    return file_.add(std::move(t));
  }

  template <class F>
  bool make(Tensor from, F&& value) {
    if (from.elements() > kMostOfVector) {
      file_.fail("tensor " + model::quoted(from.name) + " is a vector of " +
                     std::to_string(from.elements()) + " numbers, more than a model has",
                 "damaged; fetch it again");
    }
    std::vector<float> values(static_cast<size_t>(from.elements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(from, static_cast<int64_t>(i));
    return add_owned(file_, std::move(from.name), from.ne, std::move(values));
  }

  bool keep(Tensor t, std::vector<std::byte> bytes) {
    auto storage = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    t.data = storage->data();
    file_.keep(std::move(storage));
    return file_.add(std::move(t));
  }

  // GPT-2's Conv1D stores (inputs, outputs); ours are rows of inputs.
  bool transpose(Tensor t) {
    const size_t size = dtype_block(t.dtype).bytes;
    const auto inputs = static_cast<size_t>(t.ne[1]);
    const auto outputs = static_cast<size_t>(t.ne[0]);
    std::vector<std::byte> bytes(t.bytes());
    for (size_t i = 0; i < inputs; ++i) {
      for (size_t o = 0; o < outputs; ++o) {
        std::memcpy(&bytes[(o * inputs + i) * size], t.data + (i * outputs + o) * size, size);
      }
    }
    std::swap(t.ne[0], t.ne[1]);
    return keep(std::move(t), std::move(bytes));
  }

  // GPT-NeoX stores (H, 3, D) rows: query, key and value of a head together. GGUF wants all
  // queries, then all keys, then all values: (3, H, D).
  bool regroup(Tensor t) {
    const bool bias = t.rows() == 1;
    const auto rows = static_cast<size_t>(bias ? t.cols() : t.rows());
    const Json& heads = json_at(config_, "num_attention_heads");
    const size_t h = heads.is_number_unsigned() ? heads.get<size_t>() : 0;
    if (h == 0 || h > rows || rows % (3 * h) != 0) {
      file_.fail("tensor " + model::quoted(t.name) + " does not divide into its heads");
    }
    const size_t width = t.bytes() / rows;  // of a row, in bytes
    const size_t group = rows / (3 * h) * width;
    std::vector<std::byte> bytes(t.bytes());
    for (size_t head = 0; head < h; ++head) {
      for (size_t part = 0; part < 3; ++part) {
        std::memcpy(&bytes[(part * h + head) * group], t.data + (head * 3 + part) * group, group);
      }
    }
    if (!bias || t.dtype == DType::kF32) return keep(std::move(t), std::move(bytes));
    t.data = bytes.data();
    return make(std::move(t), element);
  }

  ModelFile& file_;
  std::string_view arch_;
  const Json& config_;
  bool tied_;
  bool has_embedding_ = false;
};

// A folder of the Hugging Face cache is named by a hash, three levels below its repository's.
std::string model_name(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder.lexically_normal();
  const std::filesystem::path base = path.has_filename() ? path : path.parent_path();
  if (base.parent_path().filename() == "snapshots") {
    std::string name = base.parent_path().parent_path().filename().string();
    if (name.starts_with("models--")) name.erase(0, 8);
    const size_t dashes = name.find("--");
    if (dashes != std::string::npos) name.replace(dashes, 2, "/");
    return name;
  }
  return base.filename().string();
}

// A file of the folder, mapped; nullptr when there is none.
std::shared_ptr<const Mapping> map_text(const std::filesystem::path& path,
                                        size_t most = kMaxConfigBytes) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return nullptr;
  std::shared_ptr<const Mapping> mapping = Mapping::open(path.string());
  if (mapping->bytes().size() > most) {
    throw Error(ExitCode::kBadModel, "has more than " + std::to_string(most >> 20) + " MB",
                path.string(), "is it the right file?");
  }
  return mapping;
}

std::string_view text_of(const std::shared_ptr<const Mapping>& mapping) {
  if (!mapping) return {};
  return {reinterpret_cast<const char*>(mapping->bytes().data()), mapping->bytes().size()};
}

std::map<std::string, std::vector<std::string>> shard_names(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / "model.safetensors", ignored))
    return {{"model.safetensors", {}}};
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (const auto text = map_text(index, kMaxIndexBytes))
    return shards_of_index(text_of(text), index.string());
  const bool pickled = std::filesystem::exists(folder / "pytorch_model.bin", ignored) ||
                       std::filesystem::exists(folder / "pytorch_model.bin.index.json", ignored);
  throw Error(ExitCode::kBadModel, "holds a config.json, but no model.safetensors", folder.string(),
              pickled
                  ? "pytorch_model.bin may hold programs and is not read; save it as safetensors"
                  : "is the download complete?");
}

// model.safetensors.index.json: {"weight_map": {"tensor": "file"}, "metadata": ...}
class IndexReader final : public JsonReader {
 public:
  explicit IndexReader(const std::string& name) : JsonReader(name) {}

  void on_key(std::string key) override {
    if (depth() == 1) is_map_ = key == "weight_map";
    if (depth() == 2 && is_map_) tensor_ = std::move(key);
  }
  void on_value(Json value) override {
    if (is_map_ && depth() == 2) put(json_text(value));
  }
  void on_begin(bool array) override {
    if (depth() == 0 || !is_map_) return;
    if (depth() == 2) put({});
    if (array) is_map_ = false;
  }
  void on_end() override {}

  std::map<std::string, std::vector<std::string>> take() {
    if (shards_.empty()) fail("has no weight_map");
    return std::move(shards_);
  }

 private:
  void put(std::string_view shard) {
    if (shard.empty()) fail("names no file for tensor " + model::quoted(tensor_));
    if (shard.find_first_of(std::string_view("/\\\0", 3)) != shard.npos || shard == "." ||
        shard == "..") {
      throw Error(ExitCode::kBadModel,
                  "names " + model::quoted(shard) + ", which is not a file of its folder", name(),
                  "do not trust it");
    }
    if (tensors_.size() == kMaxStoredTensors) {
      fail("names more than " + std::to_string(kMaxStoredTensors) + " tensors");
    }
    if (!tensors_.insert(tensor_).second) {
      fail("the key " + model::quoted(tensor_) + " comes twice");
    }
    shards_[std::string(shard)].push_back(tensor_);
  }

  bool is_map_ = false;
  std::string tensor_;
  std::set<std::string> tensors_;
  std::map<std::string, std::vector<std::string>> shards_;
};

void check_index(const HfShard& shard, const std::vector<StoredTensor>& stored) {
  std::set<std::string_view> names;
  for (const StoredTensor& t : stored) names.insert(t.name);
  for (const std::string& name : shard.tensors) {
    if (names.contains(name)) continue;
    throw Error(ExitCode::kBadModel, "has no tensor " + model::quoted(name), shard.name,
                "the index expects it there; fetch the files again");
  }
}

// The number of tokens, which memory is taken for.
int64_t vocabulary_of(const ModelFile& file, std::string_view arch) {
  constexpr int64_t kFreely = 1 << 19;  // twice the largest published one
  const int64_t n = file.get_int(std::string(arch) + ".vocab_size", 1, 1 << 24);
  const Tensor* embedding = file.find_tensor("token_embd.weight");
  if (n > kFreely && (!embedding || embedding->rows() < n)) {
    file.fail("config.json asks for " + std::to_string(n) + " tokens, but no embedding has so many",
              "damaged; fetch it again");
  }
  return n;
}

}  // namespace

bool is_hf_folder(const std::string& path) noexcept {
  std::error_code ignored;
  return std::filesystem::is_regular_file(std::filesystem::path(path) / "config.json", ignored);
}

std::map<std::string, std::vector<std::string>> shards_of_index(std::string_view index,
                                                                const std::string& name) {
  IndexReader reader(name);
  read_json(index, reader);
  return reader.take();
}

ModelFile parse_hf(const HfParts& parts) {
  uint64_t bytes = 0;
  for (const HfShard& shard : parts.shards) bytes += shard.bytes.size();
  ModelFile file(parts.name, "safetensors", bytes);
  const Json document = parse_json(parts.config, parts.name + "/config.json");
  const Json& config = hf_text_config(document);
  const std::string_view arch = hf_architecture(config, file);
  std::vector<StoredTensor> stored;
  std::set<std::string> names;
  for (const HfShard& shard : parts.shards) {
    std::vector<StoredTensor> tensors = parse_safetensors(shard.bytes, shard.name);
    check_index(shard, tensors);
    for (const StoredTensor& t : tensors) {
      if (!names.insert(t.name).second) {
        throw Error(ExitCode::kBadModel,
                    "tensor " + model::quoted(t.name) + " is there twice, in another file too",
                    shard.name, "fetch the files again");
      }
    }
    if (stored.size() + tensors.size() > kMaxStoredTensors) {
      file.fail("the files describe more than " + std::to_string(kMaxStoredTensors) + " tensors");
    }
    std::move(tensors.begin(), tensors.end(), std::back_inserter(stored));
  }
  Importer importer(file, arch, document);
  importer.note_names(stored);
  for (const StoredTensor& t : stored) importer.add(t);
  if (file.find_tensor("output.weight") == nullptr && hf_says_tied(document) == false) {
    file.fail(
        "tensor 'lm_head.weight' is missing, and config.json does not tie it to the embedding",
        "download all of the files again");
  }
  add_hf_config(config, file);
  add_hf_tokenizer(parts.tokenizer, config, vocabulary_of(file, arch), file);
  return file;
}

Config read_hf_config(std::string_view text, const std::string& name) {
  ModelFile file(name, "config.json", text.size());
  const Json document = parse_json(text, name);
  const Json& config = hf_text_config(document);
  const std::string_view arch = hf_architecture(config, file);
  add_hf_config(config, file);
  Config c = read_config(file);
  c.tied = hf_ties_embeddings(document, arch);  // there is no tensor to tell
  return c;
}

Config open_hf_config(const std::string& path) {
  std::error_code ignored;
  std::filesystem::path file(path);
  if (std::filesystem::is_directory(file, ignored)) file /= "config.json";
  const auto text = map_text(file);
  if (!text) throw Error(ExitCode::kBadModel, "there is no such file", file.string(), {});
  return read_hf_config(text_of(text), file.string());
}

std::vector<std::string> hf_weight_files(const std::string& path) {
  std::vector<std::string> files;
  for (const auto& [name, tensors] : shard_names(path)) files.push_back(name);
  return files;
}

ModelFile open_hf_folder(const std::string& path) {
  const std::filesystem::path folder(path);
  const auto config = map_text(folder / "config.json");
  if (!config) {
    throw Error(ExitCode::kBadModel, "holds no config.json", path,
                "name a .gguf file or a folder "
                "of safetensors");
  }
  const auto tokenizer = map_text(folder / "tokenizer.json", kMaxTokenizerBytes);
  if (tokenizer && tokenizer->bytes().empty()) {
    throw Error(ExitCode::kBadModel, "is empty", (folder / "tokenizer.json").string(),
                "damaged; fetch it again");
  }
  const auto settings = map_text(folder / "tokenizer_config.json");
  const auto chat = map_text(folder / "chat_template.jinja");
  HfParts parts{path, text_of(config), {text_of(tokenizer), text_of(settings), text_of(chat)}, {}};
  std::vector<std::shared_ptr<const Mapping>> mappings;
  for (const auto& [name, tensors] : shard_names(folder)) {
    const std::string file = (folder / name).string();
    mappings.push_back(Mapping::open(file));
    parts.shards.push_back({file, mappings.back()->bytes(), tensors});
  }
  ModelFile file = parse_hf(parts);
  for (auto& mapping : mappings) file.keep(std::move(mapping));
  file.add("general.name", model_name(folder));
  return file;
}

}  // namespace model
