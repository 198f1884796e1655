// RGBA8 pixels -> a PNG file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace render {

// width * height * 4 bytes, sRGB, rows from the top; alpha is dropped. compression: zlib's 0..9.
// Throws Error (recording_failed) when the file cannot be written.
void write_png(const std::filesystem::path& path, uint32_t width, uint32_t height,
               std::span<const uint8_t> rgba, int compression = 6);

// Throws Error (recording_failed) when a file cannot be made there: no such folder, no permission,
// a directory in its place. Leaves nothing behind and touches no file that is there.
void check_writable(const std::filesystem::path& path);

// check_writable() of a picture; throws Error (usage) when its ending is that of another format.
void check_picture(const std::filesystem::path& path);

}  // namespace render
