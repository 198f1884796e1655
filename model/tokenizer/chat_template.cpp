#include "model/tokenizer/chat_template.h"

#include <algorithm>
#include <array>

#include "model/error.h"
#include "model/format/model_file.h"

namespace model {
namespace {

// before, the message, behind, EOS where a turn ends with it, after.
struct Turn {
  std::string_view before = {}, behind = {};
  bool end = false;
  std::string_view after = {};
};

struct Layout {
  std::string_view name;
  std::array<Turn, 3> turns;  // by Role; an empty one: no such turn
  std::string_view answer;    // what makes the model go on
  bool trims = false;         // messages lose the white space around them
  // Families without system turns: the system's message goes between these, before the user's.
  std::string_view system_before = {}, system_behind = {};
  bool begins_again = false;  // every turn of the user but the first begins with a BOS
};

constexpr Turn kNone{};

// In the order of ChatTemplate.
constexpr std::array<Layout, 16> kLayouts = {{
    {"ChatML",
     {{{"<|im_start|>system\n", "<|im_end|>\n"},
       {"<|im_start|>user\n", "<|im_end|>\n"},
       {"<|im_start|>assistant\n", "<|im_end|>\n"}}},
     "<|im_start|>assistant\n"},
    {"Llama 2",
     {{kNone, {"[INST] ", " [/INST]"}, {" ", " ", true}}},
     "",
     true,
     "<<SYS>>\n",
     "\n<</SYS>>\n\n",
     true},
    {"Llama 3",
     {{{"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
       {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
       {"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"}}},
     "<|start_header_id|>assistant<|end_header_id|>\n\n",
     true},
    {"[INST]", {{kNone, {"[INST] ", " [/INST]"}, {"", "", true}}}, "", false, "", "\n\n"},
    {"Mistral v1", {{kNone, {" [INST] ", " [/INST]"}, {" ", "", true}}}, "", false, "", "\n\n"},
    {"Mistral v3", {{kNone, {"[INST] ", "[/INST]"}, {" ", "", true}}}, "", false, "", "\n\n"},
    {"Mistral v3 Tekken", {{kNone, {"[INST]", "[/INST]"}, {"", "", true}}}, "", false, "", "\n\n"},
    {"Mistral v7",
     {{{"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"}, {"[INST] ", "[/INST]"}, {" ", "", true}}},
     ""},
    {"Mistral v7 Tekken",
     {{{"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, {"[INST]", "[/INST]"}, {"", "", true}}},
     ""},
    {"Gemma",
     {{kNone,
       {"<start_of_turn>user\n", "<end_of_turn>\n"},
       {"<start_of_turn>model\n", "<end_of_turn>\n"}}},
     "<start_of_turn>model\n",
     true,
     "",
     "\n\n"},
    {"Phi-3",
     {{{"<|system|>\n", "<|end|>\n"},
       {"<|user|>\n", "<|end|>\n"},
       {"<|assistant|>\n", "<|end|>\n"}}},
     "<|assistant|>\n"},
    {"Phi-4 mini",
     {{{"<|system|>", "<|end|>"}, {"<|user|>", "<|end|>"}, {"<|assistant|>", "<|end|>"}}},
     "<|assistant|>"},
    {"Phi-4",
     {{{"<|im_start|>system<|im_sep|>", "<|im_end|>"},
       {"<|im_start|>user<|im_sep|>", "<|im_end|>"},
       {"<|im_start|>assistant<|im_sep|>", "<|im_end|>"}}},
     "<|im_start|>assistant<|im_sep|>"},
    {"Zephyr",
     {{{"<|system|>\n", "", true, "\n"},
       {"<|user|>\n", "", true, "\n"},
       {"<|assistant|>\n", "", true, "\n"}}},
     "<|assistant|>\n"},
    {"Tulu",
     {{{"<|system|>\n", "\n"}, {"<|user|>\n", "\n"}, {"<|assistant|>\n", "", true, "\n"}}},
     "<|assistant|>\n"},
    {"DeepSeek",
     {{{"", ""}, {"<｜User｜>", ""}, {"<｜Assistant｜>", "", true}}},
     "<｜Assistant｜>"},
}};

const Layout& layout_of(ChatTemplate chat) noexcept {
  return kLayouts[static_cast<size_t>(chat)];
}

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// The conversation in the order in which it is written. Views into the layout, the messages and
// begin and end.
std::vector<TextPart> lay_out(ChatTemplate chat, std::span<const Message> messages, bool answer,
                              std::string_view begin, std::string_view end) {
  const Layout& layout = layout_of(chat);
  const bool system_turns = chat == ChatTemplate::kDeepSeek || !layout.turns[0].before.empty();
  std::vector<TextPart> parts;
  const auto template_text = [&](std::string_view text) {
    if (!text.empty()) parts.push_back({text, Special::kParse});
  };
  const auto message_text = [&](const Message& m) {
    parts.push_back({layout.trims ? trimmed(m.text) : std::string_view(m.text), {}});
  };
  const Message* system = nullptr;  // waits for a turn of the user
  bool first = true;
  for (const Message& m : messages) {
    if (m.role == Role::kSystem && !system_turns) {
      system = &m;
      continue;
    }
    const Turn& turn = layout.turns[static_cast<size_t>(m.role)];
    if (layout.begins_again && m.role == Role::kUser && !first) template_text(begin);
    template_text(turn.before);
    if (system && m.role == Role::kUser) {
      template_text(layout.system_before);
      message_text(*system);
      template_text(layout.system_behind);
      system = nullptr;
    }
    message_text(m);
    template_text(turn.behind);
    if (turn.end) template_text(end);
    template_text(turn.after);
    first = false;
  }
  if (answer) template_text(layout.answer);
  return parts;
}

// Of the texts "<|user|>" the first, up to the end of the Jinja expression it stands in.
bool user_turn_ends_with_eos(std::string_view t) noexcept {
  const size_t user = t.find("<|user|>");
  const std::string_view expression = t.substr(user, t.find("}}", user) - user);
  return expression.find("eos_token") != std::string_view::npos ||
         expression.find("<|endoftext|>") != std::string_view::npos;
}

ChatTemplate which_inst(std::string_view t) noexcept {
  const auto has = [&](std::string_view s) { return t.find(s) != std::string_view::npos; };
  if (has("[SYSTEM_PROMPT]")) {
    return has("[SYSTEM_PROMPT] ") ? ChatTemplate::kMistralV7 : ChatTemplate::kMistralV7Tekken;
  }
  if (has("<<SYS>>")) return ChatTemplate::kLlama2;
  if (has(" [INST]")) return ChatTemplate::kMistralV1;
  if (!has("[AVAILABLE_TOOLS]") && has(" [/INST]")) return ChatTemplate::kInst;
  return has("\"[INST]\"") || has("'[INST]'") ? ChatTemplate::kMistralV3Tekken
                                              : ChatTemplate::kMistralV3;
}

// Whether a line ends behind the name, in a string of Jinja, perhaps in the next one: written out
// or as an escape.
bool ends_its_line(std::string_view t, std::string_view name) noexcept {
  for (size_t at = t.find(name); at != t.npos; at = t.find(name, at + 1)) {
    std::string_view rest = t.substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" '\"+"), rest.size()));
    if (rest.starts_with('\n') || rest.starts_with("\\n")) return true;
  }
  return false;
}

}  // namespace

std::optional<ChatTemplate> recognise_chat_template(std::string_view t) {
  const auto has = [&](std::string_view s) { return t.find(s) != std::string_view::npos; };
  // Marks of families that are none of these, though their roles look like theirs: SmolVLM,
  // OpenChat, Jamba, EXAONE and ChatGLM.
  for (const char* mark :
       {"<end_of_utterance>", "GPT4 Correct", "<|bom|>", "<|endofturn|>", "[gMASK]"}) {
    if (has(mark)) return std::nullopt;
  }
  if (has("<|im_start|>")) return has("<|im_sep|>") ? ChatTemplate::kPhi4 : ChatTemplate::kChatMl;
  if (has("<|start_header_id|>") && has("<|end_header_id|>")) return ChatTemplate::kLlama3;
  if (has("<start_of_turn>")) return ChatTemplate::kGemma;
  if (has("[INST]")) return which_inst(t);
  if (has("<｜User｜>") && has("<｜Assistant｜>")) return ChatTemplate::kDeepSeek;
  if (has("<|end|>") && has("<|assistant|>")) {
    return ends_its_line(t, "<|assistant|>") ? ChatTemplate::kPhi3 : ChatTemplate::kPhi4Mini;
  }
  if (has("<|user|>") && (has("<|assistant|>") || has("<|endoftext|>"))) {
    if (user_turn_ends_with_eos(t)) return ChatTemplate::kZephyr;
    // GLM-Edge has the roles outside of strings, and no end of a line behind a message.
    if (has("'<|user|>") || has("\"<|user|>")) return ChatTemplate::kTulu;
  }
  return std::nullopt;
}

std::optional<ChatTemplate> chat_template_of(const ModelFile& file) {
  return recognise_chat_template(file.get_string("tokenizer.chat_template", ""));
}

bool begins_with_bos(std::string_view t) noexcept {
  const std::string_view first = t.substr(std::min(t.find("{{"), t.size()));
  return first.substr(0, first.find("}}")).find("bos_token") != std::string_view::npos ||
         t.find("= bos_token +") != std::string_view::npos;
}

bool chat_begins_with_bos(const ModelFile& file) {
  return begins_with_bos(file.get_string("tokenizer.chat_template", ""));
}

std::string_view chat_template_name(ChatTemplate chat) noexcept {
  return layout_of(chat).name;
}

std::string format_chat(ChatTemplate chat, std::span<const Message> messages, bool answer,
                        std::string_view begin, std::string_view end) {
  std::string text;
  for (const TextPart& part : lay_out(chat, messages, answer, begin, end)) text += part.text;
  return text;
}

std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, ChatTemplate chat,
                                 std::span<const Message> messages, bool answer,
                                 bool begins_with_bos) {
  const auto name = [&](int32_t id) { return id < 0 ? std::string_view() : tokenizer.label(id); };
  const std::vector<TextPart> parts =
      lay_out(chat, messages, answer, name(tokenizer.bos_id()), name(tokenizer.eos_id()));
  std::vector<int32_t> ids = tokenizer.encode_parts(parts);
  const bool bos = tokenizer.adds_bos() || (begins_with_bos && tokenizer.bos_id() >= 0);
  if (bos) ids.insert(ids.begin(), tokenizer.bos_id());
  return ids;
}

}  // namespace model
