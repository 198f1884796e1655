#include "model/format/npy.h"

#include <bit>
#include <cstdio>
#include <string_view>

#include "model/error.h"
#include "model/format/atomic_file.h"

namespace model {
namespace {

static_assert(std::endian::native == std::endian::little, "'<f4' is written as it lies in memory");

constexpr size_t kAlignment = 64;
constexpr std::string_view kMagicAndVersion("\x93NUMPY\x01\x00", 8);

// As Python prints a tuple: (), (5,), (2, 3).
std::string tuple_of(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (const int64_t n : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(n);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::string header_of(const std::vector<int64_t>& shape) {
  std::string fields =
      "{'descr': '<f4', 'fortran_order': False, 'shape': " + tuple_of(shape) + ", }";
  const size_t before = kMagicAndVersion.size() + sizeof(uint16_t);
  const size_t unpadded = before + fields.size() + 1;
  fields.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  fields += '\n';
  std::string header(kMagicAndVersion);
  header += static_cast<char>(fields.size() & 0xFF);
  header += static_cast<char>(fields.size() >> 8);
  return header + fields;
}

bool holds(const std::vector<int64_t>& shape, size_t values) {
  size_t product = 1;
  for (const int64_t n : shape) {
    if (n < 0 || __builtin_mul_overflow(product, static_cast<size_t>(n), &product)) return false;
  }
  return product == values;
}

}  // namespace

void write_npy(const std::string& path, std::span<const float> values,
               const std::vector<int64_t>& shape) {
  CHECK(shape.size() <= 32 && holds(shape, values.size()));
  const std::string header = header_of(shape);
  if (path == "-") {
    if (std::fwrite(header.data(), 1, header.size(), stdout) == header.size() &&
        std::fwrite(values.data(), sizeof(float), values.size(), stdout) == values.size() &&
        std::fflush(stdout) == 0)
      return;
    throw fulgurite::Error(fulgurite::ExitCode::kFailed, "cannot write the result", "stdout");
  }
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(values));
  file.commit();
}

}  // namespace model
