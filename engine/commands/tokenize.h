// `fulgurite tokenize`: the tokens that a model makes of a text.
#pragma once

#include <ostream>
#include <string>

#include "engine/loaded_model.h"

namespace engine::commands {

struct TokenizeOptions {
  ModelSource model;
  std::string text;
  std::string file;  // not empty: this file's bytes instead of `text`; "-" is stdin
  // Special tokens in the text are parsed, and BOS and EOS are added where the model asks for
  // them; else the text is nothing but text.
  bool special = true;
  bool json = false;
};

// Prints a table with a line for every token, or {"ids":[...],"pieces":[...]} on one line. A
// piece is what the token adds to the text, or the name of a control token; a byte of it that is
// not UTF-8 by itself, as parts of characters are, is written <0xNN>. The model needs a
// vocabulary, but no tensors. Returns the exit code; throws Error (bad_model, failed, usage).
int tokenize(const TokenizeOptions& options, std::ostream& out);

}  // namespace engine::commands
