#include "engine/commands/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "engine/commands/inspect_trace.h"
#include "engine/loaded_model.h"
#include "engine/trace/file.h"
#include "model/error.h"
#include "model/format/gguf.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/tokenizer.h"
#include "model/utf8.h"

namespace engine::commands {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownElements = 8;  // of a long array

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

Json json_of(const model::MetaValue& value) {
  return std::visit(
      [](const auto& v) -> Json {
        using V = std::decay_t<decltype(v)>;
        if constexpr (IsVector<V>::value) {
          Json first = Json::array();
          const auto n = static_cast<std::ptrdiff_t>(std::min(v.size(), kShownElements));
          for (auto it = v.begin(); it != v.begin() + n; ++it) {
            first.push_back(static_cast<typename V::value_type>(*it));
          }
          if (v.size() <= kShownElements) return first;
          return {{"count", v.size()}, {"first", std::move(first)}};
        } else {
          return v;
        }
      },
      value);
}

// A string from the file for a person: one line, no control characters.
std::string text_of(const Json& value) {
  if (value.is_string()) return model::printable(value.get_ref<const std::string&>());
  if (value.is_array()) {
    std::string text;
    for (const Json& element : value) text += (text.empty() ? "" : ", ") + text_of(element);
    return "[" + text + "]";
  }
  if (value.is_object()) {
    std::string text = text_of(value["first"]);
    text.insert(text.size() - 1, ", ...");
    return fmt::format("{} {}", value["count"].get<size_t>(), text);
  }
  return value.dump();
}

Json config_of(const model::Config& c) {
  Json config = {
      {"layers", c.n_layer},      {"width", c.n_embd},          {"heads", c.n_head},
      {"kv_heads", c.n_head_kv},  {"head_width", c.head_dim},   {"ffn_width", c.n_ff},
      {"vocabulary", c.n_vocab},  {"context", c.n_ctx},         {"rope_width", c.rope_dim},
      {"rope_base", c.rope_base}, {"norm_epsilon", c.norm_eps}, {"tied_output", c.tied}};
  // What few models have.
  if (c.rope_scale != 1.0F) config["rope_scale"] = c.rope_scale;
  if (c.rope_magnitude != 1.0F) config["rope_magnitude"] = c.rope_magnitude;
  if (c.rope_period > 0) config["unrotated_every"] = c.rope_period;
  if (c.sinks) config["sinks"] = true;
  if (c.temperature_scale != 0.0F) config["temperature_scale"] = c.temperature_scale;
  if (c.update_scale != 1.0F) config["update_scale"] = c.update_scale;
  if (c.logit_scale != 1.0F) config["logit_scale"] = c.logit_scale;
  if (c.latent()) {
    config["kv_rank"] = c.kv_rank;
    if (c.query_rank > 0) config["query_rank"] = c.query_rank;
    config["query_width"] = c.query_width;
    config["value_width"] = c.head_value_dim;
  }
  int64_t windowed = 0;
  for (int64_t l = 0; l < c.n_layer; ++l) windowed += c.windowed(l) ? 1 : 0;
  if (windowed > 0) {
    config["window"] = c.window;
    config["windowed_layers"] = windowed;
  }
  if (c.n_expert > 0) {
    config["experts"] = c.n_expert;
    config["experts_used"] = c.n_expert_used;
    if (c.router == model::RouterKind::kSigmoid) config["router"] = "sigmoid";
    if (c.expert_renormalise) config["expert_weights_renormalised"] = true;
    if (c.expert_scale != 1.0F) config["expert_scale"] = c.expert_scale;
    if (c.choice_biased) config["experts_chosen_with_bias"] = true;
    if (c.expert_groups > 1) {
      config["expert_groups"] = c.expert_groups;
      config["expert_groups_used"] = c.expert_groups_used;
    }
    if (c.n_ff_shared > 0) config["shared_expert_neurons"] = c.n_ff_shared;
    if (c.dense_layers > 0) config["dense_layers"] = c.dense_layers;
    if (c.n_layer_unused > 0) config["layers_not_run"] = c.n_layer_unused;
  }
  return config;
}

Json tokenizer_of(const model::ModelFile& file, const model::Tokenizer& t) {
  Json tokenizer = {{"model", file.get_string("tokenizer.ggml.model")}};
  if (tokenizer["model"] == "gpt2") {
    tokenizer["pre_tokenizer"] = model::pre_tokenizer_name(file);
    tokenizer["pre_guessed"] =
        tokenizer["pre_tokenizer"] != file.get_string("tokenizer.ggml.pre", "");
  }
  tokenizer["tokens"] = t.vocab_size();
  tokenizer["bos"] = t.bos_id();
  tokenizer["eos"] = t.eos_id();
  tokenizer["adds_bos"] = t.adds_bos();
  return tokenizer;
}

// null where the file does not describe one that we can build; `problems` tells why.
template <class F>
Json or_null(F&& f) {
  try {
    return f();
  } catch (const fulgurite::Error&) {
    return nullptr;
  }
}

Json string_or_null(const model::ModelFile& file, const char* key) {
  return or_null([&]() -> Json { return file.get_string(key); });
}

Json describe(const model::ModelFile& file) {
  Json tensors = Json::array();
  int64_t parameters = 0;
  size_t bytes = 0;
  // Of a model in several files, or with tensors that were made when it was opened, there are none.
  const std::byte* begin = file.in_one_piece() ? file.data_begin() : nullptr;
  Json types = Json::object();
  for (const model::Tensor& t : file.tensors()) {
    Json shape = Json::array();
    size_t dims = 4;
    while (dims > 1 && t.ne[dims - 1] == 1) --dims;
    for (size_t d = 0; d < dims; ++d) shape.push_back(t.ne[d]);
    tensors.push_back({{"name", t.name},
                       {"type", model::dtype_name(t.dtype)},
                       {"shape", std::move(shape)},
                       {"bytes", t.bytes()},
                       {"offset", begin ? Json(t.data - begin) : Json()}});
    Json& type = types[model::dtype_name(t.dtype)];
    if (type.is_null()) type = {{"tensors", 0}, {"parameters", 0}, {"bytes", 0}};
    type["tensors"] = type["tensors"].get<size_t>() + 1;
    type["parameters"] = type["parameters"].get<int64_t>() + t.elements();
    type["bytes"] = type["bytes"].get<size_t>() + t.bytes();
    parameters += t.elements();
    bytes += t.bytes();
  }
  Json metadata = Json::object();
  auto& entries = metadata.get_ref<Json::object_t&>();  // keys are unique: no need to search
  for (const auto& [key, value] : file.metadata()) entries.emplace_back(key, json_of(value));

  const std::vector<std::string> problems = model::find_problems(file);
  return {{"file", file.name()},
          {"format", file.format()},
          {"architecture", string_or_null(file, "general.architecture")},
          {"name", string_or_null(file, "general.name")},
          {"parameters", parameters},
          {"bytes", file.file_bytes()},
          {"tensor_bytes", bytes},
          {"types", std::move(types)},
          {"runnable", problems.empty()},
          {"problems", problems},
          {"config", or_null([&] { return config_of(model::read_config(file)); })},
          {"tokenizer", or_null([&] { return tokenizer_of(file, *model::make_tokenizer(file)); })},
          {"metadata", std::move(metadata)},
          {"tensors", std::move(tensors)}};
}

void print_table(const Json& d, std::ostream& out) {
  const auto line = [&](std::string_view label, const std::string& value) {
    out << fmt::format("{:<14}{}\n", label, value);
  };
  const auto section = [&](std::string_view title) { out << "\n" << title << "\n"; };
  line("file", model::printable(d["file"].get_ref<const std::string&>(), 4096));
  line("format", d["format"].get<std::string>());
  line("architecture", text_of(d["architecture"]));
  line("name", text_of(d["name"]));
  line("parameters", fmt::format("{}", d["parameters"].get<int64_t>()));
  line("bytes", fmt::format("{}, {} of them tensors", d["bytes"].get<uint64_t>(),
                            d["tensor_bytes"].get<uint64_t>()));
  line("runnable", d["runnable"].get<bool>() ? "yes" : "no");
  for (const Json& problem : d["problems"]) {
    out << "  - " << problem.get_ref<const std::string&>() << "\n";
  }
  section("types");
  for (const auto& [name, type] : d["types"].items()) {
    out << fmt::format("  {:<14}{} tensors, {} parameters, {} bytes\n", name,
                       type["tensors"].get<size_t>(), type["parameters"].get<int64_t>(),
                       type["bytes"].get<size_t>());
  }
  for (const char* part : {"config", "tokenizer"}) {
    if (d[part].is_null()) continue;
    section(part);
    for (const auto& [key, value] : d[part].items()) {
      out << fmt::format("  {:<16}{}\n", key, text_of(value));
    }
  }
  section("metadata");
  for (const auto& [key, value] : d["metadata"].items()) {
    out << fmt::format("  {:<42} {}\n", model::printable(key), text_of(value));
  }
  section("tensors");
  for (const Json& t : d["tensors"]) {
    std::string shape;
    for (const Json& n : t["shape"]) shape += (shape.empty() ? "" : " x ") + n.dump();
    out << fmt::format("  {:<32} {:<8} {:<20} {:>12} bytes", text_of(t["name"]),
                       t["type"].get<std::string>(), shape, t["bytes"].get<uint64_t>());
    if (!t["offset"].is_null()) out << " at " << t["offset"].get<int64_t>();
    out << "\n";
  }
}

}  // namespace

int inspect(const InspectOptions& options, std::ostream& out) {
  if (trace::is_trace_file(options.model_path))
    return inspect_trace(options.model_path, options.json, out);
  const model::ModelFile file = open_model_file({options.model_path, options.builtin});
  const Json description = describe(file);
  if (options.json) {
    // Strings of the file need not be UTF-8; JSON must be.
    out << description.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print_table(description, out);
  }
  return static_cast<int>(fulgurite::ExitCode::kOk);
}

}  // namespace engine::commands
