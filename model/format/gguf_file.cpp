// GgufFile but for parse(): the mapping and typed access.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <system_error>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;

struct GgufFile::Mapping {
  void* address = nullptr;
  size_t bytes = 0;
  Mapping(void* a, size_t n) : address(a), bytes(n) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(address, bytes); }
};

GgufFile::GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

void GgufFile::fail(std::string what, std::string hint) const {
  throw Error(ExitCode::kBadModel, std::move(what), name_, std::move(hint));
}

GgufFile GgufFile::open(const std::string& path) {
  GgufFile file;
  file.name_ = path;
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  };
  // O_NONBLOCK: a named pipe must not make us wait for a writer.
  const Descriptor descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (descriptor.fd < 0) {
    if (errno == ENOENT) file.fail("no such file", "check the path");
    file.fail(std::string("cannot be opened: ") + std::generic_category().message(errno));
  }
  struct stat info {};
  if (::fstat(descriptor.fd, &info) != 0) {
    file.fail(std::string("cannot be examined: ") + std::generic_category().message(errno));
  }
  if (S_ISDIR(info.st_mode)) file.fail("is a directory", "name a .gguf file inside it");
  if (!S_ISREG(info.st_mode)) file.fail("is not a regular file", "name a .gguf file");
  const auto bytes = static_cast<size_t>(info.st_size);
  if (bytes > 0) {
    void* address = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor.fd, 0);
    if (address == MAP_FAILED)
      file.fail(std::string("cannot be mapped: ") + std::generic_category().message(errno));
    file.mapping_ = std::make_unique<Mapping>(address, bytes);
    file.bytes_ = {static_cast<const std::byte*>(address), bytes};
  }
  file.parse();
  return file;
}

GgufFile GgufFile::from_memory(std::span<const std::byte> bytes, std::string name) {
  GgufFile file;
  file.name_ = std::move(name);
  file.bytes_ = bytes;
  file.parse();
  return file;
}

const GgufValue* GgufFile::find(std::string_view key) const noexcept {
  const auto at = metadata_index_.find(key);
  return at == metadata_index_.end() ? nullptr : &metadata_[at->second].second;
}

const GgufValue& GgufFile::require(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) fail("the key " + quoted(key) + " is missing", "convert the model again");
  return *value;
}

int64_t GgufFile::get_int(std::string_view key, int64_t lo, int64_t hi) const {
  const GgufValue& value = require(key);
  int64_t number = 0;
  if (const auto* u = std::get_if<uint64_t>(&value)) {
    if (*u > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      fail(std::string(key) + " is " + std::to_string(*u),
           std::to_string(lo) + " to " + std::to_string(hi));
    }
    number = static_cast<int64_t>(*u);
  } else if (const auto* i = std::get_if<int64_t>(&value)) {
    number = *i;
  } else {
    fail(std::string(key) + " is not a whole number");
  }
  if (number < lo || number > hi) {
    fail(std::string(key) + " is " + std::to_string(number),
         std::to_string(lo) + " to " + std::to_string(hi));
  }
  return number;
}

int64_t GgufFile::get_int(std::string_view key, int64_t lo, int64_t hi, int64_t fallback) const {
  return find(key) ? get_int(key, lo, hi) : fallback;
}

double GgufFile::get_float(std::string_view key, double fallback) const {
  const GgufValue* value = find(key);
  if (!value) return fallback;
  const auto* number = std::get_if<double>(value);
  if (!number) fail(std::string(key) + " is not a floating-point number");
  return *number;
}

bool GgufFile::get_bool(std::string_view key, bool fallback) const {
  const GgufValue* value = find(key);
  if (!value) return fallback;
  const auto* boolean = std::get_if<bool>(value);
  if (!boolean) fail(std::string(key) + " is not a boolean");
  return *boolean;
}

std::string GgufFile::get_string(std::string_view key) const {
  const auto* text = std::get_if<std::string>(&require(key));
  if (!text) fail(std::string(key) + " is not a string");
  return *text;
}

std::string GgufFile::get_string(std::string_view key, std::string fallback) const {
  return find(key) ? get_string(key) : std::move(fallback);
}

const std::vector<std::string>* GgufFile::get_strings(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return nullptr;
  const auto* strings = std::get_if<std::vector<std::string>>(value);
  if (!strings) fail(std::string(key) + " is not an array of strings");
  return strings;
}

const Tensor* GgufFile::find_tensor(std::string_view name) const noexcept {
  const auto at = tensor_index_.find(name);
  return at == tensor_index_.end() ? nullptr : &tensors_[at->second];
}

const Tensor& GgufFile::require_tensor(const std::string& name, int64_t rows, int64_t cols) const {
  const Tensor* tensor = find_tensor(name);
  if (!tensor) fail("tensor " + quoted(name) + " is missing", "convert the model again");
  const std::array<int64_t, 4> want = {cols, rows, 1, 1};
  if (tensor->ne != want) {
    std::string have = std::to_string(tensor->ne[0]);
    for (size_t d = 1; d < 4; ++d) {
      if (d == 1 || tensor->ne[d] != 1) have += " x " + std::to_string(tensor->ne[d]);
    }
    fail("tensor " + quoted(name) + " is " + have + ", but the metadata asks for " +
         std::to_string(cols) + " x " + std::to_string(rows));
  }
  return *tensor;
}

}  // namespace model
