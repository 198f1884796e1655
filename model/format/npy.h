// NumPy's array file, version 1.0
// (specification: numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
//
//   file = "\x93NUMPY" | u8 1 | u8 0 | u16 header length | header | data
//   header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", padded with spaces
//            and ended by a newline, so that the data begin at a multiple of 64
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace model {

// To "-", stdout, or a file: float32 values in C order (the last of `shape` is the fastest; {} is a
// scalar) as an AtomicFile: whole or absent. CHECKs that the shape's product is the number of
// values, and that the shape has at most 32 dimensions, none negative. Throws Error (failed) naming
// the path.
void write_npy(const std::string& path, std::span<const float> values,
               const std::vector<int64_t>& shape);

}  // namespace model
