// How byte-level BPE cuts a text into words before it joins bytes: tokenizer.ggml.pre. Tokens
// never reach over the bounds of words.
//
// The makers of the vocabularies publish these rules as regular expressions (tokenizer.json);
// here each is a function written out by hand, linear in the text. A rule that is a sequence
// of patterns cuts the pieces that the pattern before it has left.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace model {

struct PreTokenizer {
  // Length of the first piece of `rest`: 1..rest.size(), for a rest that is not empty. A byte
  // that is not UTF-8 counts as one character that is no letter, number, mark or space.
  using Cut = size_t (*)(std::string_view rest);

  std::span<const Cut> cuts;
  bool whole_words = false;  // a word that is a token needs no merges to become it
  bool adds_bos = false;     // unless tokenizer.ggml.add_bos_token says otherwise

  // sink(std::string_view word), in order; the words make up the text.
  template <class Sink>
  void split(std::string_view text, Sink&& sink) const {
    split_from(0, text, sink);
  }

 private:
  template <class Sink>
  void split_from(size_t stage, std::string_view text, Sink& sink) const {
    if (stage == cuts.size()) return sink(text);
    while (!text.empty()) {
      const size_t n = cuts[stage](text);
      split_from(stage + 1, text.substr(0, n), sink);
      text.remove_prefix(n);
    }
  }
};

// nullptr: not known.
const PreTokenizer* find_pre_tokenizer(std::string_view name) noexcept;

// Their names, separated by commas.
std::string known_pre_tokenizers();

}  // namespace model
