#include "model/tokenizer/chat_template.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "model/error.h"
#include "model/format/ollama.h"

namespace model {
namespace {

// before, the message, behind, EOS where a turn ends with it, after.
struct Turn {
  std::string_view before = {}, behind = {};
  bool end = false;
  std::string_view after = {};
};

// Which messages lose the white space around them.
enum class Trims : uint8_t { kNone, kAnswers, kAll };

struct Layout {
  std::string_view name;
  // By Role. Where there is no system turn, the system's message goes between system_before and
  // system_behind, before the user's, and keeps its white space.
  std::array<std::optional<Turn>, 3> turns;
  std::string_view answer = {};  // what makes the model go on
  Trims trims = Trims::kNone;
  std::string_view system_before = {}, system_behind = "\n\n";
  bool begins_again = false;             // every turn of the user but the first begins with a BOS
  std::string_view preface = {};         // stands before everything ...
  std::string_view without_system = {};  // ... and this, where there is no system message
};

constexpr std::nullopt_t kNone = std::nullopt;

// In the order of ChatTemplate.
constexpr std::array<Layout, 32> kLayouts = {{
    {.name = "ChatML",
     .turns = {{Turn{"<|im_start|>system\n", "<|im_end|>\n"},
                Turn{"<|im_start|>user\n", "<|im_end|>\n"},
                Turn{"<|im_start|>assistant\n", "<|im_end|>\n"}}},
     .answer = "<|im_start|>assistant\n"},
    {.name = "Llama 2",
     .turns = {{kNone, Turn{"[INST] ", " [/INST]"}, Turn{" ", " ", true}}},
     .trims = Trims::kAll,
     .system_before = "<<SYS>>\n",
     .system_behind = "\n<</SYS>>\n\n",
     .begins_again = true},
    {.name = "Llama 3",
     .turns = {{Turn{"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
                Turn{"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
                Turn{"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"}}},
     .answer = "<|start_header_id|>assistant<|end_header_id|>\n\n",
     .trims = Trims::kAll},
    {.name = "[INST]", .turns = {{kNone, Turn{"[INST] ", " [/INST]"}, Turn{"", "", true}}}},
    {.name = "Mistral v1", .turns = {{kNone, Turn{" [INST] ", " [/INST]"}, Turn{" ", "", true}}}},
    {.name = "Mistral v3", .turns = {{kNone, Turn{"[INST] ", "[/INST]"}, Turn{" ", "", true}}}},
    {.name = "Mistral v3 Tekken",
     .turns = {{kNone, Turn{"[INST]", "[/INST]"}, Turn{"", "", true}}}},
    {.name = "Mistral v7",
     .turns = {{Turn{"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"}, Turn{"[INST] ", "[/INST]"},
                Turn{" ", "", true}}}},
    {.name = "Mistral v7 Tekken",
     .turns = {{Turn{"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}, Turn{"[INST]", "[/INST]"},
                Turn{"", "", true}}}},
    {.name = "Gemma",
     .turns = {{kNone, Turn{"<start_of_turn>user\n", "<end_of_turn>\n"},
                Turn{"<start_of_turn>model\n", "<end_of_turn>\n"}}},
     .answer = "<start_of_turn>model\n",
     .trims = Trims::kAll},
    {.name = "Phi-3",
     .turns = {{Turn{"<|system|>\n", "<|end|>\n"}, Turn{"<|user|>\n", "<|end|>\n"},
                Turn{"<|assistant|>\n", "<|end|>\n"}}},
     .answer = "<|assistant|>\n"},
    {.name = "Phi-4 mini",
     .turns = {{Turn{"<|system|>", "<|end|>"}, Turn{"<|user|>", "<|end|>"},
                Turn{"<|assistant|>", "<|end|>"}}},
     .answer = "<|assistant|>"},
    {.name = "Phi-4",
     .turns = {{Turn{"<|im_start|>system<|im_sep|>", "<|im_end|>"},
                Turn{"<|im_start|>user<|im_sep|>", "<|im_end|>"},
                Turn{"<|im_start|>assistant<|im_sep|>", "<|im_end|>"}}},
     .answer = "<|im_start|>assistant<|im_sep|>"},
    {.name = "Zephyr",
     .turns = {{Turn{"<|system|>\n", "", true, "\n"}, Turn{"<|user|>\n", "", true, "\n"},
                Turn{"<|assistant|>\n", "", true, "\n"}}},
     .answer = "<|assistant|>\n"},
    {.name = "Tulu",
     .turns = {{Turn{"<|system|>\n", "\n"}, Turn{"<|user|>\n", "\n"},
                Turn{"<|assistant|>\n", "", true, "\n"}}},
     .answer = "<|assistant|>\n"},
    {.name = "DeepSeek",
     .turns = {{Turn{}, Turn{"<｜User｜>", ""}, Turn{"<｜Assistant｜>", "", true}}},
     .answer = "<｜Assistant｜>"},
    {.name = "Granite",
     .turns = {{Turn{"<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"},
                Turn{"<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"},
                Turn{"<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"}}},
     .answer = "<|start_of_role|>assistant<|end_of_role|>"},
    {.name = "harmony",
     .turns = {{Turn{"<|start|>developer<|message|># Instructions\n\n", "\n\n<|end|>"},
                Turn{"<|start|>user<|message|>", "<|end|>"},
                Turn{"<|start|>assistant<|channel|>final<|message|>", "<|end|>"}}},
     .answer = "<|start|>assistant",
     .preface =
         "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
         "Knowledge cutoff: 2024-06\n\nReasoning: medium\n\n"
         "# Valid channels: analysis, commentary, final. Channel must be included for every "
         "message.<|end|>"},
    {.name = "Command R",
     .turns = {{Turn{"<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"},
                Turn{"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>"},
                Turn{"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"}}},
     .answer = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
     .trims = Trims::kAll},
    {.name = "Command R7B",
     .turns = {{Turn{"<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"},
                Turn{"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>"},
                Turn{"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
                     "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"}}},
     .answer = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
    {.name = "DeepSeek V2",
     .turns = {{Turn{"", "\n\n"}, Turn{"User: ", "\n\n"}, Turn{"Assistant: ", "", true}}},
     .answer = "Assistant:"},
    {.name = "GLM 4",
     .turns = {{Turn{"<|system|>\n"}, Turn{"<|user|>\n"}, Turn{"<|assistant|>\n"}}},
     .answer = "<|assistant|>",
     .preface = "[gMASK]<sop>"},
    {.name = "GLM 4.5",
     .turns = {{Turn{"<|system|>\n"}, Turn{"<|user|>\n"},
                Turn{"<|assistant|>\n<think></think>\n"}}},
     .answer = "<|assistant|>",
     .trims = Trims::kAnswers,
     .preface = "[gMASK]<sop>"},
    {.name = "GLM 4.7",
     .turns = {{Turn{"<|system|>"}, Turn{"<|user|>"}, Turn{"<|assistant|></think>"}}},
     .answer = "<|assistant|>",
     .trims = Trims::kAnswers,
     .preface = "[gMASK]<sop>"},
    {.name = "EXAONE 4",
     .turns = {{Turn{"[|system|]\n", "[|endofturn|]\n"}, Turn{"[|user|]\n", "[|endofturn|]\n"},
                Turn{"[|assistant|]\n<think>\n\n</think>\n\n", "[|endofturn|]\n"}}},
     .answer = "[|assistant|]\n<think>\n\n</think>\n\n"},
    {.name = "ERNIE 4.5",
     .turns = {{Turn{"", "\n"}, Turn{"User: ", "\n"}, Turn{"Assistant: ", "<|end_of_sentence|>"}}},
     .answer = "Assistant: ",
     .preface = "<|begin_of_sentence|>"},
    {.name = "Ling",
     .turns = {{Turn{"<role>SYSTEM</role>"}, Turn{"<role>HUMAN</role>"},
                Turn{"<role>ASSISTANT</role>"}}},
     .answer = "<role>ASSISTANT</role>"},
    {.name = "Ling 2",
     .turns = {{Turn{"<role>SYSTEM</role>", "\ndetailed thinking off<|role_end|>"},
                Turn{"<role>HUMAN</role>", "<|role_end|>"},
                Turn{"<role>ASSISTANT</role>", "<|role_end|>"}}},
     .answer = "<role>ASSISTANT</role>",
     .without_system = "<role>SYSTEM</role>detailed thinking off<|role_end|>"},
    {.name = "dots.llm1",
     .turns = {{Turn{"<|system|>", "<|endofsystem|>"},
                Turn{"<|userprompt|>", "<|endofuserprompt|>"},
                Turn{"<|response|>", "<|endofresponse|>"}}},
     .answer = "<|response|>"},
    {.name = "Seed-OSS",
     .turns = {{Turn{"<seed:bos>system\n", "<seed:eos>"}, Turn{"<seed:bos>user\n", "<seed:eos>"},
                Turn{"<seed:bos>assistant\n", "<seed:eos>"}}},
     .answer = "<seed:bos>assistant\n",
     .trims = Trims::kAnswers},
    {.name = "Kimi",
     .turns = {{Turn{"<|im_system|>system<|im_middle|>", "<|im_end|>"},
                Turn{"<|im_user|>user<|im_middle|>", "<|im_end|>"},
                Turn{"<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"}}},
     .answer = "<|im_assistant|>assistant<|im_middle|>"},
    {.name = "Hunyuan",
     .turns = {{Turn{"", "<｜hy_place▁holder▁no▁3｜>"}, Turn{"<｜hy_User｜>"},
                Turn{"<｜hy_Assistant｜>", "<｜hy_place▁holder▁no▁2｜>"}}},
     .answer = "<｜hy_Assistant｜>",
     .preface = "<｜hy_begin▁of▁sentence｜>"},
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

// The conversation in the order in which it is written. Views into the chat, its layout, the
// messages and begin and end.
std::vector<TextPart> lay_out(const Chat& chat, std::span<const Message> messages, bool answer,
                              std::string_view begin, std::string_view end) {
  const Layout& layout = layout_of(chat.family);
  const std::optional<Turn>& system_turn = layout.turns[0];
  std::vector<TextPart> parts;
  const auto template_text = [&](std::string_view text) {
    if (!text.empty()) parts.push_back({text, Special::kParse});
  };
  const auto message_text = [&](const Message& m) {
    const bool trims = layout.trims == Trims::kAll ||
                       (layout.trims == Trims::kAnswers && m.role == Role::kAssistant);
    parts.push_back({trims ? trimmed(m.text) : std::string_view(m.text), {}});
  };
  template_text(layout.preface);
  const Message* system = nullptr;  // waits for a turn of the user
  bool first = true;
  if (messages.empty() || messages[0].role != Role::kSystem) {
    template_text(layout.without_system);
    if (system_turn && !chat.system.empty()) {
      template_text(system_turn->before);
      template_text(chat.system);
      template_text(system_turn->behind);
    }
  }
  for (const Message& m : messages) {
    if (m.role == Role::kSystem && !system_turn) {
      system = &m;
      continue;
    }
    const Turn& turn = *layout.turns[static_cast<size_t>(m.role)];
    if (layout.begins_again && m.role == Role::kUser && !first) template_text(begin);
    template_text(turn.before);
    if (system && m.role == Role::kUser) {
      template_text(layout.system_before);
      parts.push_back({system->text, {}});
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
  if (answer) template_text(chat.opening);
  return parts;
}

// A template with the strings that it puts together as one, and ends of lines as they are: what
// stands between two marks is then the same however it was written.
std::string joined(std::string_view t) {
  std::string text;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t.substr(i).starts_with("\\n")) {
      text += '\n';
      ++i;
      continue;
    }
    if (t[i] == '\'' || t[i] == '"') {
      const size_t plus = std::min(t.find_first_not_of(" \n", i + 1), t.size());
      const size_t next = std::min(t.find_first_not_of(" \n", plus + 1), t.size());
      if (plus < t.size() && t[plus] == '+' && next < t.size() &&
          (t[next] == '\'' || t[next] == '"')) {
        i = next;
        continue;
      }
    }
    text += t[i];
  }
  return text;
}

bool begins_with_any(std::string_view t, std::initializer_list<std::string_view> some) noexcept {
  return std::any_of(some.begin(), some.end(), [&](auto s) { return t.starts_with(s); });
}
bool ends_with_any(std::string_view t, std::initializer_list<std::string_view> some) noexcept {
  return std::any_of(some.begin(), some.end(), [&](auto s) { return t.ends_with(s); });
}

// What follows the last time that the name stands there.
std::string_view behind_last(std::string_view t, std::string_view name) noexcept {
  const size_t at = t.rfind(name);
  return at == t.npos ? std::string_view() : t.substr(at + name.size());
}

// Whether somewhere a message, and nothing else but a space, follows [INST], and somewhere one
// stands before [/INST].
bool wraps_in_inst(std::string_view t) noexcept {
  constexpr std::string_view kOpen = "[INST]";
  constexpr std::string_view kClose = "[/INST]";
  const auto without_space = [](std::string_view s) { return s.substr(s.starts_with(' ')); };
  bool open = false;
  bool close = false;
  for (size_t at = t.find(kOpen); at != t.npos && !open; at = t.find(kOpen, at + 1)) {
    const std::string_view behind = without_space(t.substr(at + kOpen.size()));
    open = begins_with_any(behind, {"'", "\"", "{{", "<<SYS>>"});
  }
  for (size_t at = t.find(kClose); at != t.npos && !close; at = t.find(kClose, at + 1)) {
    std::string_view before = t.substr(0, at);
    before.remove_suffix(before.ends_with(' '));
    close = ends_with_any(before, {"'", "\"", "}}"});
  }
  return open && close;
}

// Zephyr and Tulu, by what the first turn of the user ends with: EOS, or the end of its line alone.
std::optional<ChatTemplate> which_bars(std::string_view t) noexcept {
  const std::string_view rest = t.substr(t.find("<|user|>"));
  const std::string_view turn =
      rest.substr(0, std::min(rest.find("{%"), rest.find("<|assistant|>")));
  if (!begins_with_any(turn, {"<|user|>\n", "<|user|>' }}{{ '\n"})) return std::nullopt;
  for (const char* end : {"eos_token", "<|endoftext|>", "</s>"}) {
    if (turn.find(end) != turn.npos) return ChatTemplate::kZephyr;
  }
  const bool line = turn.find("'\n'") != turn.npos || turn.find("\"\n\"") != turn.npos;
  if (line && behind_last(t, "<|assistant|>").starts_with('\n')) return ChatTemplate::kTulu;
  return std::nullopt;
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

// By what a turn of the user begins with; before 4.5 answers had no thoughts.
std::optional<ChatTemplate> which_glm(std::string_view t) noexcept {
  const auto has = [&](std::string_view s) { return t.find(s) != std::string_view::npos; };
  if (!has("[gMASK]<sop>") || !has("<|assistant|>")) return std::nullopt;
  if (has("<|user|>{{"))
    return has("</think>") ? std::optional(ChatTemplate::kGlm47) : std::nullopt;
  if (!has("<|user|>\n")) return std::nullopt;
  return has("<think></think>") ? ChatTemplate::kGlm45 : ChatTemplate::kGlm4;
}

// Families whose roles are words.
std::optional<ChatTemplate> which_words(std::string_view t) noexcept {
  const auto has = [&](std::string_view s) { return t.find(s) != std::string_view::npos; };
  const auto says = [&](const std::string& before, const std::string& behind) {
    for (const char* message : {"message['content']", "message[\"content\"]", "message.content"}) {
      for (const char quote : {'\'', '"'}) {
        if (has(quote + before + quote + " + " + message + " + " + behind)) return true;
      }
    }
    return false;
  };
  const bool ernie = has("<|begin_of_sentence|>") && has("<|end_of_sentence|>");
  if (ernie && (says("User: ", "'\n'") || says("User: ", "\"\n\""))) return ChatTemplate::kErnie;
  if (says("User: ", "'\n\n'") && says("Assistant: ", "eos_token"))
    return ChatTemplate::kDeepSeekV2;
  return std::nullopt;
}

// t as it is, and joined.
std::optional<ChatTemplate> which_family(std::string_view t, std::string_view text) {
  const auto has = [&](std::string_view s) { return t.find(s) != std::string_view::npos; };
  // Marks of families that are none of these, though their roles look like theirs: SmolVLM,
  // OpenChat, Jamba and K-EXAONE.
  for (const char* mark : {"<end_of_utterance>", "GPT4 Correct", "<|bom|>", "<|endofturn|>"}) {
    if (has(mark)) return std::nullopt;
  }
  const auto reads = [&](std::string_view s) { return text.find(s) != text.npos; };
  if (has("[gMASK]")) return which_glm(text);
  if (has("<|START_OF_TURN_TOKEN|>") && has("<|USER_TOKEN|>")) {
    return has("<|START_RESPONSE|>") ? ChatTemplate::kCommandR7B : ChatTemplate::kCommandR;
  }
  if (has("[|endofturn|]")) {
    // EXAONE 3 writes its turns without line breaks.
    if (!reads("[|user|]\n") || !reads("<think>\n\n</think>\n\n")) return std::nullopt;
    return ChatTemplate::kExaone4;
  }
  if (has("<role>") && has("HUMAN")) {
    if (!has("<|role_end|>")) return ChatTemplate::kLing;
    if (!reads("thinking_option = 'off'")) return std::nullopt;  // Ring thinks
    return ChatTemplate::kLing2;
  }
  if (has("<|userprompt|>") && has("<|endofresponse|>")) return ChatTemplate::kDots;
  if (has("<seed:bos>")) return ChatTemplate::kSeed;
  if (has("<|im_user|>") && has("<|im_middle|>")) return ChatTemplate::kKimi;
  if (has("<｜hy_Assistant｜>") && has("<｜hy_place▁holder▁no▁3｜>")) return ChatTemplate::kHunyuan;
  if (has("<|im_start|>")) {
    if (has("<|im_sep|>")) return ChatTemplate::kPhi4;
    if (!reads("<|im_end|>\n") || !reads("<|im_start|>assistant\n")) return std::nullopt;
    return ChatTemplate::kChatMl;
  }
  if (has("<|start_header_id|>") && has("<|end_header_id|>")) return ChatTemplate::kLlama3;
  if (has("<start_of_turn>")) return ChatTemplate::kGemma;
  if (has("<|start_of_role|>") && has("<|end_of_role|>")) {
    if (!reads("<|end_of_text|>\n")) return std::nullopt;
    return ChatTemplate::kGranite;
  }
  if (has("<|start|>") && has("<|channel|>") && has("<|message|>")) return ChatTemplate::kHarmony;
  if (has("[INST]")) {
    return wraps_in_inst(text) ? std::optional(which_inst(t)) : std::nullopt;
  }
  if (has("<｜User｜>") && has("<｜Assistant｜>")) return ChatTemplate::kDeepSeek;
  if (has("<|end|>") && has("<|assistant|>")) {
    const bool lines = reads("<|end|>\n");
    if (behind_last(text, "<|assistant|>").starts_with('\n') != lines) return std::nullopt;
    return lines ? ChatTemplate::kPhi3 : ChatTemplate::kPhi4Mini;
  }
  if (has("<|user|>") && (has("<|assistant|>") || has("<|endoftext|>"))) return which_bars(text);
  return which_words(text);
}

bool begins_with_bos(std::string_view t) noexcept {
  for (size_t at = t.find("{{"), end = 0; at != t.npos; at = t.find("{{", end + 2)) {
    end = t.find("}}", at);
    if (end == t.npos) break;
    const std::string_view first = t.substr(at, end - at);
    if (first.find("raise_exception") != first.npos) continue;  // writes nothing
    if (first.find("bos_token") != first.npos) return true;
    break;
  }
  return t.find("= bos_token +") != t.npos;
}

// The system message that stands in the template as one text, and is not put together of parts.
std::string own_system(std::string_view text, const Turn& turn) {
  if (turn.before.empty() || turn.behind.empty()) return {};
  while (true) {
    const size_t end = text.find(turn.behind);
    if (end == text.npos) return {};
    const std::string_view message = behind_last(text.substr(0, end), turn.before);
    text.remove_prefix(end + turn.behind.size());
    if (message.find_first_of("'\"") != message.npos || message.find("{{") != message.npos)
      continue;
    std::string plain;
    for (size_t i = 0; i < message.size(); ++i) {
      if (message.substr(i).starts_with("\\\\")) ++i;
      plain += message[i];
    }
    if (!plain.empty()) return plain;
  }
}

// What the answer begins with, of what a template has behind its last mark of one.
std::string_view opening(ChatTemplate family, std::string_view behind) noexcept {
  if (behind.starts_with("<think>\n")) return "<think>\n";
  if (family == ChatTemplate::kGlm4) {
    return behind.starts_with("\n<think>\n") ? "\n<think>\n" : behind.starts_with('\n') ? "\n" : "";
  }
  const bool unless_told = behind.find("else '<think>'") != behind.npos;
  return family == ChatTemplate::kGlm47 && unless_told ? "<think>" : "";
}

}  // namespace

std::optional<Chat> recognise_chat_template(std::string_view t) {
  constexpr size_t kMostBytes = size_t{1} << 18;  // ten times the longest published one
  if (t.size() > kMostBytes) return std::nullopt;
  const std::string text = joined(t);
  const auto family = which_family(t, text);
  if (!family) return std::nullopt;
  const Layout& layout = layout_of(*family);
  Chat chat{*family, begins_with_bos(t), own_system(text, layout.turns[0].value_or(Turn{}))};
  if (!layout.answer.empty()) chat.opening = opening(*family, behind_last(text, layout.answer));
  return chat;
}

std::optional<Chat> chat_of(const ModelFile& file) {
  const std::string text = file.get_string("tokenizer.chat_template", "");
  // Ollama's own files have none: its store keeps them beside the models.
  if (text.empty() && file.get_bool(kOllama, false)) {
    const std::string arch = file.get_string("general.architecture", "");
    if (arch == "gemma3") return Chat{ChatTemplate::kGemma};
    if (arch == "gpt-oss") return Chat{ChatTemplate::kHarmony};
  }
  return recognise_chat_template(text);
}

std::string_view chat_template_name(ChatTemplate chat) noexcept {
  return layout_of(chat).name;
}

std::string format_chat(const Chat& chat, std::span<const Message> messages, bool answer,
                        std::string_view begin, std::string_view end) {
  std::string text;
  for (const TextPart& part : lay_out(chat, messages, answer, begin, end)) text += part.text;
  return text;
}

std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, const Chat& chat,
                                 std::span<const Message> messages, bool answer) {
  const auto name = [&](int32_t id) { return id < 0 ? std::string_view() : tokenizer.label(id); };
  const std::vector<TextPart> parts =
      lay_out(chat, messages, answer, name(tokenizer.bos_id()), name(tokenizer.eos_id()));
  std::vector<int32_t> ids = tokenizer.encode_parts(parts);
  const int32_t bos = tokenizer.bos_id();
  const bool wanted = tokenizer.adds_bos() || (chat.begins_with_bos && bos >= 0);
  // Seed-OSS begins every turn with it, Hunyuan the conversation.
  if (wanted && (ids.empty() || ids.front() != bos)) ids.insert(ids.begin(), bos);
  return ids;
}

}  // namespace model
