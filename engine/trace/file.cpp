#include "engine/trace/file.h"

#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "model/error.h"

namespace trace {

using fulgurite::Error;
using fulgurite::ExitCode;

FileWriter::FileWriter(Log& log, const std::string& path)
    : path_(path), stream_(log, [this](std::span<const std::byte> bytes) { put(bytes); }) {
  std::error_code ignored;
  made_ = !std::filesystem::exists(path, ignored);
  file_ = std::fopen(path.c_str(), "abe");  // "wb" would empty it
  if (file_ == nullptr) {
    const int reason = errno;
    throw Error(
        ExitCode::kFailed, std::string("cannot write the trace: ") + std::strerror(reason), path,
        reason == EISDIR ? "name a file in it" : "make its folder first, or write elsewhere");
  }
  const bool regular =
      std::filesystem::is_regular_file(path, ignored);  // devices have many writers
  if (regular && ::flock(fileno(file_), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    std::fclose(file_);
    throw Error(ExitCode::kFailed, "another run writes its trace there", path,
                "wait until it has ended, or name another --trace");
  }
}

FileWriter::~FileWriter() {
  try {
    if (begun_) finish();
  } catch (const std::exception&) {  // the destructor has nobody to tell
  }
  if (file_ == nullptr) return;
  if (!begun_ && made_) std::remove(path_.c_str());
  std::fclose(file_);
}

void FileWriter::put(std::span<const std::byte> bytes) {
  if (!begun_) {
    begun_ = true;
    std::error_code error;
    const bool whole = std::filesystem::is_regular_file(path_, error);
    if (whole) std::filesystem::resize_file(path_, 0, error);  // a device has nothing to lose
    if (error) {
      throw Error(ExitCode::kFailed, "cannot write the trace: " + error.message(), path_,
                  "choose another file");
    }
  }
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size() ||
      std::fflush(file_) != 0) {
    const std::string why = std::strerror(errno);
    throw Error(ExitCode::kFailed, "the trace stopped: " + why, path_, "free some space");
  }
}

void FileWriter::drain() {
  stream_.drain();
}

void FileWriter::finish() {
  stream_.finish();
}

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_file(const std::string& path) {
  return {std::fopen(path.c_str(), "rb"),
          [](std::FILE* f) { return f == nullptr ? 0 : std::fclose(f); }};
}

}  // namespace

McapEnd read_file(const std::string& path, const McapTake& take) {
  std::error_code failed;
  const uint64_t size = std::filesystem::file_size(path, failed);
  const File file = open_file(path);
  if (failed || !file) {
    throw Error(ExitCode::kBadModel, "cannot be read as a trace", path,
                "name a file made with --trace");
  }
  const auto read = [&](std::span<std::byte> into) {
    return std::fread(into.data(), 1, into.size(), file.get());
  };
  return read_mcap(path, size, read, take);
}

bool is_trace_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    return false;  // a pipe would keep us waiting
  const File file = open_file(path);
  std::array<std::byte, kMcapMagicBytes> head{};
  return file && std::fread(head.data(), 1, head.size(), file.get()) == head.size() &&
         begins_as_mcap(head);
}

FileContents load_file(const std::string& path, Log& log, size_t conversation) {
  std::vector<bool> with_steps;  // of the conversations
  read_file(path, [&](Topic topic, auto) {
    if (topic == Topic::kStart) with_steps.push_back(false);
    if (topic == Topic::kStep && !with_steps.empty()) with_steps.back() = true;
  });
  FileContents contents;
  contents.conversations = with_steps.size();
  if (conversation > contents.conversations) {
    throw Error(ExitCode::kUsage, "there is no conversation " + std::to_string(conversation), path,
                "it holds " + std::to_string(contents.conversations));
  }
  contents.conversation = conversation > 0 ? conversation : contents.conversations;
  if (conversation == 0) {
    const auto last = std::find(with_steps.rbegin(), with_steps.rend(), true);
    if (last != with_steps.rend())
      contents.conversation = static_cast<size_t>(with_steps.rend() - last);
  }

  size_t current = 0;  // 0: what holds for all
  const McapEnd end = read_file(path, [&](Topic topic, std::span<const std::byte> payload) {
    if (topic == Topic::kStart) ++current;
    if (current != 0 && current != contents.conversation) return;
    std::memcpy(log.reserve(topic, payload.size()), payload.data(), payload.size());
    log.commit();
    ++contents.messages;
  });
  contents.complete = end.complete;
  contents.damaged = end.damaged;
  return contents;
}

}  // namespace trace
