#include "render/video/png.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <png.h>
#include <unistd.h>

#include "model/error.h"

namespace render {
namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what,
                       const char* hint = "") {
  throw Error(ExitCode::kRecordingFailed, what, path.string(), hint);
}

// libpng would print the reason by itself.
[[noreturn]] void on_png_error(png_structp png, png_const_charp) {
  png_longjmp(png, 1);
}

// False: libpng failed. Apart from anything with a destructor, because libpng leaves by longjmp.
bool encode(png_structp png, png_infop info, std::FILE* file, uint32_t width, uint32_t height,
            const uint8_t* rgba, uint8_t* row, int compression) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_init_io(png, file);
  png_set_compression_level(png, compression);
  png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
  png_write_info(png, info);
  for (uint32_t y = 0; y < height; ++y) {
    const uint8_t* from = rgba + size_t{y} * width * 4;
    for (uint32_t x = 0; x < width; ++x) std::memcpy(row + size_t{x} * 3, from + size_t{x} * 4, 3);
    png_write_row(png, row);
  }
  png_write_end(png, info);
  return true;
}

}  // namespace

void write_png(const std::filesystem::path& path, uint32_t width, uint32_t height,
               std::span<const uint8_t> rgba, int compression) {
  CHECK(rgba.size() == size_t{width} * height * 4);
  // Written beside, and put in its place when it is whole; but not what is a device or a pipe.
  std::error_code ignored;
  const bool there = std::filesystem::exists(path, ignored);
  const bool beside = there ? std::filesystem::is_regular_file(path, ignored)
                            : !std::filesystem::is_symlink(path, ignored);
  const std::filesystem::path target = beside && there ? std::filesystem::canonical(path) : path;
  std::filesystem::path place = target;
  std::unique_ptr<std::FILE, CloseFile> file;
  constexpr int kNames = 100;  // others may be somebody's, or left by a program that was killed
  for (int i = 0; beside && i < kNames && file == nullptr; ++i) {
    place = target.string() + ".new" + (i == 0 ? "" : std::to_string(i));
    file.reset(std::fopen(place.c_str(), "wbx"));
    if (file == nullptr && errno != EEXIST) break;
  }
  if (file == nullptr && (!beside || errno == ENAMETOOLONG)) {
    place = target;
    file.reset(std::fopen(place.c_str(), "wb"));
  }
  if (file == nullptr) fail(path, std::strerror(errno));
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, on_png_error, nullptr);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  std::vector<uint8_t> row(size_t{width} * 3);
  bool written = info != nullptr &&
                 encode(png, info, file.get(), width, height, rgba.data(), row.data(), compression);
  png_destroy_write_struct(&png, &info);
  written = std::fclose(file.release()) == 0 && written;
  if (written && (place == target || std::rename(place.c_str(), target.c_str()) == 0)) return;
  if (std::filesystem::is_regular_file(place, ignored)) std::filesystem::remove(place, ignored);
  fail(path, "the PNG could not be written", "is the disk full?");
}

void check_writable(const std::filesystem::path& path) {
  std::error_code ignored;
  if (path.empty()) fail(path, "an output file is needed");
  if (std::filesystem::is_directory(path, ignored)) fail(path, "is a directory");
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!std::filesystem::exists(folder, ignored)) fail(path, "its folder does not exist");
  const bool was_there = std::filesystem::exists(path, ignored);
  // A pipe's reader would take the end of this for the end of the picture.
  if (was_there && !std::filesystem::is_regular_file(path, ignored)) return;
  if (!was_there && std::filesystem::is_symlink(path, ignored)) return;  // to what is to be made
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) fail(path, std::strerror(errno));
  ::close(file);
  if (!was_there) ::unlink(path.c_str());
}

void check_picture(const std::filesystem::path& path) {
  check_writable(path);
  const std::string ending = path.extension().string();
  if (ending.empty() || ending == ".png" || ending == ".PNG") return;
  throw fulgurite::Error(fulgurite::ExitCode::kUsage, "pictures are PNG files", path.string(),
                         "end it with .png");
}

}  // namespace render
