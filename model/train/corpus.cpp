#include "model/train/corpus.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "model/error.h"

namespace model::train {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what,
                       const std::string& hint = {}) {
  throw fulgurite::Error(fulgurite::ExitCode::kFailed, what, path, hint);
}

}  // namespace

std::string read_text(const std::string& path, uint64_t most) {
  std::error_code ignored;
  if (path.empty()) fail("text", "no file was named", "-f FILE");
  if (!std::filesystem::exists(path, ignored)) fail(path, "no such file");
  if (std::filesystem::is_directory(path, ignored)) fail(path, "is a directory, not a text");
  const uint64_t size = std::filesystem::file_size(path, ignored);
  if (ignored) fail(path, "is no regular file");  // opening a pipe would wait for its writer
  if (size > most)
    fail(path, "has " + std::to_string(size) + " bytes, more than " + std::to_string(most));
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) {
    text.resize(size);
    file.read(text.data(), static_cast<std::streamsize>(size));
  }
  if (!file) fail(path, "cannot be read");
  if (text.empty()) fail(path, "is empty");
  return text;
}

Corpus::Corpus(const std::string& path, int64_t window) {
  const std::string text = read_text(path);
  split_ = text.size() / 10 * 9 + text.size() % 10 * 9 / 10;
  const auto needed = static_cast<size_t>(window) + 1;
  if (split_ < needed || text.size() - split_ < needed) {
    fail(path,
         "has only " + std::to_string(text.size()) + " bytes, too few for windows of " +
             std::to_string(window) + " in its first 90 % and in its last 10 %",
         "a longer text, or a smaller --ctx");
  }
  hash_ = fnv1a(text);
  tokens_.reserve(text.size());
  for (const char byte : text) tokens_.push_back(static_cast<unsigned char>(byte));
}

uint64_t fnv1a(std::string_view bytes) noexcept {
  uint64_t hash = 0xCBF29CE484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
  return hash;
}

std::span<const int32_t> Corpus::training() const noexcept {
  return std::span(tokens_).first(split_);
}

std::span<const int32_t> Corpus::validation() const noexcept {
  return std::span(tokens_).subspan(split_);
}

}  // namespace model::train
