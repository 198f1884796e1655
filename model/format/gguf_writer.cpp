#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>

#include "model/error.h"
#include "model/format/atomic_file.h"
#include "model/format/gguf.h"
#include "model/quantize.h"

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

constexpr size_t kPieceBytes = size_t{4} << 20;  // of one tensor, held at a time

// Trailing dimensions of 1 are not written.
uint32_t dimensions(const std::array<int64_t, 4>& ne) {
  uint32_t n = 4;
  while (n > 1 && ne[n - 1] == 1) --n;
  return n;
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
  CHECK(keys_.insert(key).second);
  metadata_.emplace_back(std::move(key), std::move(value));
}

void GgufWriter::add_tensor(std::string name, const std::array<int64_t, 4>& ne, DType type,
                            Rows rows) {
  CHECK(!name.empty() && name.size() <= kMostNameBytes);
  CHECK(ne[0] > 0 && ne[1] > 0 && ne[2] > 0 && ne[3] > 0);
  CHECK(names_.insert(name).second);
  tensors_.push_back({std::move(name), ne, type, std::move(rows)});
  CHECK(tensors_.back().bytes() > 0);  // a known type and whole blocks, by dtype_row_bytes()
}

void GgufWriter::add_tensor(const Tensor& tensor) {
  CHECK(tensor.data != nullptr);
  const size_t row_bytes = tensor.row_bytes();
  add_tensor(tensor.name, tensor.ne, tensor.dtype,
             [data = tensor.data, row_bytes](int64_t first, int64_t n, std::byte* out) {
               std::memcpy(out, data + row_bytes * static_cast<size_t>(first),
                           row_bytes * static_cast<size_t>(n));
             });
}

void GgufWriter::add_tensor(std::string name, int64_t rows, int64_t cols, DType type,
                            const float* values) {
  CHECK(rows > 0 && cols > 0 && values != nullptr && can_quantize(type));
  const DType stored = rows == 1 ? DType::kF32 : type;
  const size_t row_bytes = dtype_row_bytes(stored, cols);
  auto bytes = std::make_shared<std::vector<std::byte>>(row_bytes * static_cast<size_t>(rows));
  quantize_row(stored, values, rows * cols, bytes->data());
  add_tensor(std::move(name), {cols, rows, 1, 1}, stored,
             [bytes, row_bytes](int64_t first, int64_t n, std::byte* out) {
               std::memcpy(out, bytes->data() + row_bytes * static_cast<size_t>(first),
                           row_bytes * static_cast<size_t>(n));
             });
}

uint64_t GgufWriter::write(const std::string& path) const {
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
    const uint32_t n_dims = dimensions(t.ne);
    head.number(n_dims);
    for (uint32_t d = 0; d < n_dims; ++d) head.number(t.ne[d]);
    head.number(static_cast<uint32_t>(t.type));
    head.number(offset);
    offset += padded(t.bytes());
  }
  head.pad();

  AtomicFile file(path);
  file.write(head.bytes());
  constexpr std::array<std::byte, kAlignment> kZeros{};
  std::vector<std::byte> piece;
  for (const Pending& t : tensors_) {
    const int64_t step = std::max(int64_t{1}, static_cast<int64_t>(kPieceBytes / t.row_bytes()));
    for (int64_t first = 0; first < t.n_rows(); first += step) {
      const int64_t n = std::min(step, t.n_rows() - first);
      piece.resize(t.row_bytes() * static_cast<size_t>(n));
      t.rows(first, n, piece.data());
      file.write(piece);
    }
    file.write(std::span(kZeros).first(padded(t.bytes()) - t.bytes()));
  }
  file.commit();
  return head.bytes().size() + offset;
}

}  // namespace model
