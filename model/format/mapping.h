// A file's bytes, mapped read-only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace model {

class Mapping {
 public:
  // Throws Error (bad_model): missing, a directory, not a regular file, unreadable.
  static std::shared_ptr<const Mapping> open(const std::string& path);

  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  Mapping() = default;
  std::span<const std::byte> bytes_;
};

}  // namespace model
