#include "engine/commands/inspect_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/trace/file.h"
#include "engine/trace/muted.h"
#include "engine/trace/reader.h"
#include "model/error.h"
#include "model/utf8.h"

namespace engine::commands {
namespace {

using Json = nlohmann::ordered_json;
using trace::Topic;

constexpr size_t kShownText = 2000;  // bytes of a conversation's text in a table

Json model_of(const trace::Model& model) {
  const trace::ModelRecord& m = model.record;
  return {{"name", model.name},
          {"architecture", model.architecture},
          {"quantisation", model.quantisation},
          {"parameters", m.parameters},
          {"layers", m.layers},
          {"width", m.width},
          {"heads", m.heads},
          {"kv_heads", m.kv_heads},
          {"head_width", m.head_width},
          {"neurons", m.neurons},
          {"vocabulary", m.vocabulary},
          {"context", m.context},
          {"weights_hash", fmt::format("{:016x}", m.weights_hash)}};
}

// As it was written on a command line.
double decimal(float value) {
  return std::stod(fmt::format("{}", value));
}

// As the flags of the sampler are called.
Json sampler_of(const trace::StartRecord& start, const trace::PenaltiesRecord* penalties) {
  Json sampler = {{"seed", start.seed},
                  {"temp", decimal(start.temperature)},
                  {"top-k", start.top_k},
                  {"top-p", decimal(start.top_p)}};
  if (penalties == nullptr) return sampler;
  sampler["min-p"] = decimal(penalties->min_p);
  sampler["repeat-penalty"] = decimal(penalties->repeat);
  sampler["repeat-last-n"] = penalties->repeat_last_n;
  sampler["frequency-penalty"] = decimal(penalties->frequency);
  sampler["presence-penalty"] = decimal(penalties->presence);
  return sampler;
}

Json conversation_of(const trace::Reader& reader) {
  Json settings = Json::array();
  for (const trace::Reader::Settings& s : reader.settings()) {
    if (s.start == nullptr) continue;
    settings.push_back({{"from_step", s.from},
                        {"level", trace::level_name(s.start->level)},
                        {"sampler", sampler_of(*s.start, s.penalties)}});
  }
  Json conversation = {{"settings", std::move(settings)}};
  Json muted = Json::array();
  for (const trace::MutedPart& part : reader.muted()) muted.push_back(trace::name_of(part));
  conversation["muted"] = std::move(muted);
  conversation["steps"] = reader.steps();
  size_t generated = 0;
  std::string text;
  int64_t wall_ns = 0;
  for (size_t p = 0; p < reader.positions(); ++p) {
    const trace::Token& token = reader.position(p).token;
    if (token.record == nullptr) continue;
    generated += token.record->kind == trace::TokenKind::kGenerated ? 1 : 0;
    wall_ns = token.record->wall_ns;
    if ((token.record->flags & trace::kTokenControl) == 0) text += token.text;
  }
  conversation["prompt_tokens"] = reader.positions() - generated;
  conversation["generated_tokens"] = generated;
  conversation["seconds"] = static_cast<double>(wall_ns) * 1e-9;
  conversation["finished"] = reader.finished();
  conversation["text"] = std::move(text);
  return conversation;
}

Json describe(const std::string& path) {
  Json conversations = Json::array();
  Json records = Json::object();
  // Detail is counted and left where it is.
  trace::Log log;
  trace::Reader reader(log);
  const auto tell_conversation = [&] {
    reader.poll();
    if (reader.conversation() > conversations.size())
      conversations.push_back(conversation_of(reader));
  };
  const trace::McapEnd end =
      trace::read_file(path, [&](Topic topic, std::span<const std::byte> payload) {
        Json& record = records[std::string(trace::topic_name(topic))];
        if (record.is_null()) record = {{"messages", 0}, {"bytes", 0}};
        record["messages"] = record["messages"].get<uint64_t>() + 1;
        record["bytes"] = record["bytes"].get<uint64_t>() + payload.size();
        if (topic == Topic::kStart) tell_conversation();
        if (trace::is_detail(topic)) return;
        std::memcpy(log.reserve(topic, payload.size()), payload.data(), payload.size());
        log.commit();
      });
  tell_conversation();
  std::error_code unknown;
  const trace::Model* model = reader.model();
  return {{"file", path},
          {"format", "MCAP trace"},
          {"bytes", std::filesystem::file_size(path, unknown)},
          {"written_by", end.writer},
          {"complete", end.complete},
          {"damaged", end.damaged},
          {"schema", model != nullptr ? Json(model->record.schema_version) : Json()},
          {"model", model != nullptr ? model_of(*model) : Json()},
          {"conversations", std::move(conversations)},
          {"records", std::move(records)}};
}

// A value for a person, on one line.
std::string text_of(const Json& value) {
  if (value.is_string()) return model::printable(value.get_ref<const std::string&>(), kShownText);
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "not said";
  if (!value.is_structured()) return value.dump();
  std::string text;
  for (const auto& [key, part] : value.items()) {
    if (!text.empty()) text += ", ";
    if (value.is_object()) text += key + " ";
    text += text_of(part);
  }
  return text.empty() ? "nothing" : text;
}

void print_table(const Json& d, std::ostream& out) {
  const auto lines = [&](const Json& part, std::string_view indent) {
    for (const auto& [key, value] : part.items()) {
      std::string name = key;
      std::ranges::replace(name, '_', ' ');
      out << fmt::format("{}{:<18}{}\n", indent, name, text_of(value));
    }
  };
  Json head = d;
  for (const char* part : {"model", "conversations", "records"}) head.erase(part);
  lines(head, "");
  if (!d["model"].is_null()) {
    out << "\nmodel\n";
    lines(d["model"], "  ");
  }
  size_t number = 0;
  for (const Json& conversation : d["conversations"]) {
    out << fmt::format("\nconversation {}\n", ++number);
    lines(conversation, "  ");
  }
  out << "\nrecords\n";
  lines(d["records"], "  ");
}

}  // namespace

int inspect_trace(const std::string& path, bool json, std::ostream& out) {
  const Json description = describe(path);
  if (json) {
    // Tokens need not be UTF-8 by themselves; JSON must be.
    out << description.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print_table(description, out);
  }
  return static_cast<int>(fulgurite::ExitCode::kOk);
}

}  // namespace engine::commands
