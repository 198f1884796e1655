#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>

#include "model/error.h"
#include "model/format/gguf.h"

namespace model {
namespace {

constexpr size_t kAlignment = 32;
enum ValueType : uint32_t {
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11
};

size_t padded(size_t n) {
  return (n + kAlignment - 1) / kAlignment * kAlignment;
}

class Bytes {
 public:
  template <class T>
  void number(T value) {
    const auto* p = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), p, p + sizeof(T));
  }
  void string(const std::string& text) {
    number<uint64_t>(text.size());
    const auto* p = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), p, p + text.size());
  }
  void pad() { bytes_.resize(padded(bytes_.size())); }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

bool fits(uint64_t v) {
  return v <= std::numeric_limits<uint32_t>::max();
}
bool fits(int64_t v) {
  return v == static_cast<int32_t>(v);
}

uint32_t type_of(uint64_t v) {
  return fits(v) ? kU32 : kU64;
}
uint32_t type_of(int64_t v) {
  return fits(v) ? kI32 : kI64;
}
uint32_t type_of(double) {
  return kF32;
}
uint32_t type_of(bool) {
  return kBool;
}
uint32_t type_of(const std::string&) {
  return kString;
}
// The one type that holds every element: the type of the widest.
template <class T>
uint32_t element_type(const std::vector<T>& values) {
  uint32_t type = type_of(T{});
  for (const auto& v : values) type = std::max(type, type_of(static_cast<const T&>(v)));
  return type;
}

void put(Bytes& out, uint32_t type, uint64_t v) {
  type == kU32 ? out.number(static_cast<uint32_t>(v)) : out.number(v);
}
void put(Bytes& out, uint32_t type, int64_t v) {
  type == kI32 ? out.number(static_cast<int32_t>(v)) : out.number(v);
}
void put(Bytes& out, uint32_t, double v) {
  out.number(static_cast<float>(v));
}
void put(Bytes& out, uint32_t, bool v) {
  out.number(static_cast<uint8_t>(v));
}
void put(Bytes& out, uint32_t, const std::string& v) {
  out.string(v);
}

template <class T>
void put_value(Bytes& out, const T& value) {
  out.number(type_of(value));
  put(out, type_of(value), value);
}
template <class T>
void put_value(Bytes& out, const std::vector<T>& values) {
  const uint32_t type = element_type(values);
  out.number<uint32_t>(kArray);
  out.number(type);
  out.number<uint64_t>(values.size());
  for (const auto& v : values) put(out, type, static_cast<const T&>(v));
}

}  // namespace

void GgufWriter::add(std::string key, MetaValue value) {
  CHECK(!key.empty() && key.size() <= 65535 && key != "general.alignment");
  for (const auto& [known, unused] : metadata_) CHECK(known != key);
  metadata_.emplace_back(std::move(key), std::move(value));
}

void GgufWriter::add_tensor(std::string name, int64_t rows, int64_t cols, DType type,
                            const float* values) {
  CHECK(!name.empty() && name.size() < 64 && rows > 0 && cols > 0 && values != nullptr);
  CHECK(type == DType::kF32 || type == DType::kF16);
  for (const Pending& known : tensors_) CHECK(known.name != name);
  Pending t{std::move(name), {cols}, rows == 1 ? DType::kF32 : type, {}};
  if (rows > 1) t.ne.push_back(rows);
  const auto n = static_cast<size_t>(rows) * static_cast<size_t>(cols);
  t.data.resize(dtype_row_bytes(t.type, cols) * static_cast<size_t>(rows));
  if (t.type == DType::kF32) {
    std::memcpy(t.data.data(), values, t.data.size());
  } else {
    for (size_t i = 0; i < n; ++i) {
      const uint16_t half = f16_from_f32(values[i]);
      std::memcpy(t.data.data() + 2 * i, &half, 2);
    }
  }
  tensors_.push_back(std::move(t));
}

void GgufWriter::write(const std::string& path) const {
  Bytes head;
  head.number<uint32_t>(0x46554747);  // "GGUF"
  head.number<uint32_t>(3);
  head.number<uint64_t>(tensors_.size());
  head.number<uint64_t>(metadata_.size());
  for (const auto& [key, value] : metadata_) {
    head.string(key);
    std::visit([&](const auto& v) { put_value(head, v); }, value);
  }
  uint64_t offset = 0;
  for (const Pending& t : tensors_) {
    head.string(t.name);
    head.number(static_cast<uint32_t>(t.ne.size()));
    for (const int64_t n : t.ne) head.number(n);
    head.number(static_cast<uint32_t>(t.type));
    head.number(offset);
    offset += padded(t.data.size());
  }
  head.pad();

  const std::string part = path + ".part";
  const auto fail = [&](const std::string& what) {
    const std::string reason = std::generic_category().message(errno);
    std::remove(part.c_str());
    throw fulgurite::Error(fulgurite::ExitCode::kFailed, what + ": " + reason, path,
                           "is the folder there, writable and not full?");
  };
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, Close> file(std::fopen(part.c_str(), "wb"));
  if (!file) fail("cannot be written");
  const auto put_bytes = [&](const std::byte* data, size_t n) {
    if (n > 0 && std::fwrite(data, 1, n, file.get()) != n) fail("writing failed");
  };
  put_bytes(head.bytes().data(), head.bytes().size());
  constexpr std::array<std::byte, kAlignment> kZeros{};
  for (const Pending& t : tensors_) {
    put_bytes(t.data.data(), t.data.size());
    put_bytes(kZeros.data(), padded(t.data.size()) - t.data.size());
  }
  if (std::fclose(file.release()) != 0) fail("writing failed");
  if (std::rename(part.c_str(), path.c_str()) != 0) fail("cannot be replaced");
}

}  // namespace model
