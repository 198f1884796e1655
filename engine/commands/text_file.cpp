#include "engine/commands/text_file.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "model/error.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

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
    throw Error(ExitCode::kFailed, "cannot be read as a text", path, "name a text file");
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
  return text;
}

}  // namespace engine::commands
