#include "engine/commands/text_file.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "engine/standard_streams.h"
#include "model/error.h"
#include "model/utf8.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// Byte tokens take anything, but a text in another encoding was hardly meant.
void tell_what_is_no_utf8(const std::string& name, const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const model::Utf8Char c = model::decode_utf8(text, at);
    if (!c.valid) {
      tell("fulgurite: " + model::printable(name, 4096) + ": is not UTF-8 from byte " +
           std::to_string(at) + " on; its bytes are taken as they are (iconv makes UTF-8 of it)");
      return;
    }
    at += c.bytes;
  }
}

}  // namespace

std::string read_text_file(const std::string& path) {
  constexpr size_t kMostBytes = size_t{1} << 30;
  const bool from_stdin = path == "-";
  const std::string name = from_stdin ? "stdin" : path;
  std::error_code ignored;
  std::ifstream file;
  if (!from_stdin) file.open(path, std::ios::binary);
  const auto kind = std::filesystem::status(path, ignored).type();
  const bool is_text =
      kind == std::filesystem::file_type::regular || kind == std::filesystem::file_type::fifo;
  if (!from_stdin && (!file || !is_text)) {
    using Type = std::filesystem::file_type;
    if (kind == Type::not_found)
      throw Error(ExitCode::kFailed, "no such file", path, "check the path");
    throw Error(ExitCode::kFailed,
                kind == Type::directory ? "is a folder" : "cannot be read as a text", path,
                "name a text file");
  }
  std::istream& in = from_stdin ? std::cin : file;
  std::string text;
  std::array<char, 1 << 16> block;
  do {
    in.read(block.data(), block.size());
    text.append(block.data(), static_cast<size_t>(in.gcount()));
    if (text.size() > kMostBytes) {
      throw Error(ExitCode::kFailed, "holds more than 1 GB of text", name, "name a shorter text");
    }
  } while (in);
  // std::cin takes what cannot be read, a folder say, for its end.
  if (in.bad() || (from_stdin && std::ferror(stdin) != 0))
    throw Error(ExitCode::kFailed, "cannot be read", name);
  tell_what_is_no_utf8(name, text);
  return text;
}

}  // namespace engine::commands
