// Reads NumPy's files back, apart from the writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/data.h"

namespace tests {

struct NpyFile {
  std::string header;  // the Python dictionary
  std::vector<float> values;
};

inline NpyFile read_npy(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  EXPECT_EQ("\x93NUMPY", bytes.substr(0, 6));
  const size_t length = static_cast<unsigned char>(bytes.at(8)) +
                        size_t{256} * static_cast<unsigned char>(bytes.at(9));
  NpyFile file{bytes.substr(10, length), {}};
  file.values.resize((bytes.size() - 10 - length) / sizeof(float));
  std::memcpy(file.values.data(), bytes.data() + 10 + length, file.values.size() * sizeof(float));
  return file;
}

}  // namespace tests
