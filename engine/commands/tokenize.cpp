#include "engine/commands/tokenize.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "engine/commands/text_file.h"
#include "model/error.h"
#include "model/tokenizer/tokenizer.h"
#include "model/utf8.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// A string of JSON (RFC 8259) with quotation marks.
void append_json(std::string& out, std::string_view bytes) {
  out += '"';
  for (size_t i = 0; i < bytes.size();) {
    const model::Utf8Char c = model::decode_utf8(bytes, i);
    if (!c.valid) {
      out += fmt::format("<0x{:02X}>", static_cast<uint32_t>(c.code));
    } else if (c.code == '"' || c.code == '\\') {
      out += '\\';
      out += bytes[i];
    } else if (c.code < 0x20) {
      out += c.code == '\n'   ? "\\n"
             : c.code == '\t' ? "\\t"
                              : fmt::format("\\u{:04x}", static_cast<uint32_t>(c.code));
    } else {
      out += bytes.substr(i, c.bytes);
    }
    i += c.bytes;
  }
  out += '"';
}

// append(line, index) for each token, written in blocks.
template <class Append>
void write_each(size_t count, std::ostream& out, Append&& append) {
  constexpr size_t kBlock = size_t{1} << 16;
  std::string block;
  for (size_t i = 0; i < count; ++i) {
    append(block, i);
    if (block.size() < kBlock) continue;
    out << block;
    block.clear();
  }
  out << block;
}

}  // namespace

int tokenize(const TokenizeOptions& options, std::ostream& out) {
  const std::unique_ptr<model::Tokenizer> tokenizer =
      model::make_tokenizer(open_model_file(options.model));
  const std::string text = options.file.empty() ? options.text : read_text_file(options.file);
  const std::vector<int32_t> ids = options.special
                                       ? encode_document(*tokenizer, text, model::Special::kParse)
                                       : tokenizer->encode(text);
  if (options.json) {
    const auto comma = [](std::string& line, size_t i) {
      if (i > 0) line += ',';
    };
    out << "{\"ids\":[";
    write_each(ids.size(), out, [&](std::string& line, size_t i) {
      comma(line, i);
      line += fmt::format_int(ids[i]).c_str();
    });
    out << "],\"pieces\":[";
    write_each(ids.size(), out, [&](std::string& line, size_t i) {
      comma(line, i);
      append_json(line, tokenizer->label(ids[i]));
    });
    out << "]}\n";
  } else {
    write_each(ids.size(), out, [&](std::string& line, size_t i) {
      const std::string_view piece = tokenizer->label(ids[i]);
      line += fmt::format("{:>7}  '{}'\n", ids[i], model::printable(piece, piece.size()));
    });
  }
  return static_cast<int>(ExitCode::kOk);
}

}  // namespace engine::commands
