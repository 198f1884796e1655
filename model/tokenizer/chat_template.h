// How a conversation is written down for a model that was trained to chat. A model file carries
// its template as a Jinja program (tokenizer.chat_template); it is never executed, but the known
// families are recognised by the names of the tokens and roles in its text and by what stands
// between these. What only resembles one is none.
//
// Of what else a template writes, the plain texts are carried over: its own system message, and
// what it puts into the model's mouth. Tools and dates are not.
// Sources: the templates that the makers publish in their tokenizer_config.json, and for Mistral's
// the table of versions in
// https://github.com/mistralai/cookbook/blob/main/concept-deep-dive/tokenization; for EXAONE 4, GLM
// 4.7 and Ling 2 what Ollama (model/renderers) and llama.cpp (src/llama-chat.cpp) make of theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace model {

enum class ChatTemplate : uint8_t {
  kChatMl,  // Qwen, SmolLM, Hermes ...
  kLlama2,  // with <<SYS>>
  kLlama3,
  kInst,       // Mistral 7B v0.1, Mixtral
  kMistralV1,  // Mistral 7B v0.2
  kMistralV3,
  kMistralV3Tekken,  // Mistral Nemo
  kMistralV7,        // with [SYSTEM_PROMPT]
  kMistralV7Tekken,  // Mistral Small 3
  kGemma,
  kPhi3,
  kPhi4Mini,
  kPhi4,
  kZephyr,    // TinyLlama, StableLM
  kTulu,      // OLMo, OLMoE, Falcon 3
  kDeepSeek,  // R1 and what was distilled from it
  kGranite,   // 3 and 4
  kHarmony,   // gpt-oss
  kCommandR,
  kCommandR7B,
  kDeepSeekV2,
  kGlm4,
  kGlm45,  // and 4.6
  kGlm47,
  kExaone4,
  kErnie,
  kLing,
  kLing2,
  kDots,
  kSeed,
  kKimi,
  kHunyuan,  // the dense one
};

enum class Role : uint8_t { kSystem, kUser, kAssistant };

struct Message {
  Role role = Role::kUser;
  std::string text;
};

// What is known of a file's template.
struct Chat {
  ChatTemplate family;
  // Whether what it writes begins with a BOS: what it writes first, or makes of its first message.
  bool begins_with_bos = false;
  std::string system = {};   // what it says itself where a conversation has no system message
  std::string opening = {};  // how the answer begins: "<think>\n", of one that always thinks aloud
};

// nullopt: a template of no known family.
std::optional<Chat> recognise_chat_template(std::string_view template_text);

// Of tokenizer.chat_template; nullopt when the file has none as well.
std::optional<Chat> chat_of(const ModelFile& file);

// "ChatML", "Llama 3" ...
std::string_view chat_template_name(ChatTemplate chat) noexcept;

// The conversation as text, without a BOS in front; with `answer`, up to where the model is to
// go on. A system message stands first; families without one put it before the next message of
// the user. begin, end: how the tokens BOS and EOS are written where they come between turns.
std::string format_chat(const Chat& chat, std::span<const Message> messages, bool answer,
                        std::string_view begin = "<s>", std::string_view end = "</s>");

// Its tokens, with one BOS where the file or its template asks for one. The template's special
// tokens are tokens; their names inside messages stay text.
std::vector<int32_t> encode_chat(const Tokenizer& tokenizer, const Chat& chat,
                                 std::span<const Message> messages, bool answer);

}  // namespace model
