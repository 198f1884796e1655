// parse_gguf: bytes -> metadata and tensors, trusting none of them.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/utf8.h"

namespace model {

using fulgurite::Error;
using fulgurite::ExitCode;
static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in memory");

namespace {

constexpr uint64_t kMaxKeyBytes = 65535;  // the specification's limit
constexpr uint64_t kDefaultAlignment = 32;

// What is read of the header and what is kept of it, which may be larger (a text takes 8 bytes
// there and 32 here, a byte 1 and 8), come to some 40 MB for 200,000 tokens with half a million
// merges. Headers that would take more than this are made to exhaust memory.
constexpr uint64_t kMaxHeaderBytes = uint64_t{48} << 20;
constexpr uint64_t kMaxEntries = 65536;  // keys, and tensors; published files have some thousands
constexpr uint64_t kEntryBytes = 200;    // of a key or tensor: the entry and its place in the index
constexpr uint64_t kInside = 15;         // the longest text that needs no block of its own
constexpr uint64_t kBlockBytes = 16;     // of such a block, beside the text

enum class ValueType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

// Smallest number of bytes that one element takes in the file; 0: no such type.
uint64_t min_bytes(ValueType type) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kI8:
    case ValueType::kBool:
      return 1;
    case ValueType::kU16:
    case ValueType::kI16:
      return 2;
    case ValueType::kU32:
    case ValueType::kI32:
    case ValueType::kF32:
      return 4;
    case ValueType::kU64:
    case ValueType::kI64:
    case ValueType::kF64:
    case ValueType::kString:
      return 8;
    case ValueType::kArray:
      return 12;
  }
  return 0;
}

// A cursor that never leaves the bytes.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes),
        name_(name),
        most_(kMaxHeaderBytes + std::min<uint64_t>(bytes.size() / 64, kMaxHeaderBytes)) {}

  // To be called before memory is taken.
  void keep(uint64_t n, uint64_t bytes_each, std::string_view what) {
    const uint64_t used = kept_ + position_;
    if (used > most_ || n > (most_ - used) / bytes_each) {
      fail(std::string(what) + " would take more memory than a file of " +
               std::to_string(bytes_.size()) + " bytes may",
           "is it made to exhaust memory?");
    }
    kept_ += n * bytes_each;
  }

  uint64_t position() const { return position_; }
  uint64_t left() const { return bytes_.size() - position_; }

  [[noreturn]] void fail(std::string what, std::string hint = "damaged; fetch it again") const {
    throw Error(ExitCode::kBadModel, std::move(what), name_, std::move(hint));
  }

  template <class T>
  T number(std::string_view what) {
    need(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // copies: how often it will be kept.
  std::string string(std::string_view what, uint64_t copies = 1) {
    const auto length = number<uint64_t>(what);
    need(length, what);
    if (length > kInside) keep(copies, length + kBlockBytes, what);
    std::string text(reinterpret_cast<const char*>(bytes_.data() + position_), length);
    position_ += length;
    return text;
  }

  bool boolean(std::string_view what) {
    const auto byte = number<uint8_t>(what);
    if (byte > 1)
      fail("the boolean " + std::string(what) + " is " + std::to_string(byte), "0 or 1");
    return byte == 1;
  }

  void need(uint64_t n, std::string_view what) const {
    if (n <= left()) return;
    fail("the file ends inside " + std::string(what) + ": " + std::to_string(n) +
             " bytes wanted at byte " + std::to_string(position_) + ", " + std::to_string(left()) +
             " left",
         "truncated or damaged; fetch it again");
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  uint64_t position_ = 0;
  uint64_t kept_ = 0;
  uint64_t most_;  // of both
};

template <class Wide, class Stored>
std::vector<Wide> read_numbers(Cursor& in, uint64_t n, std::string_view what) {
  std::vector<Wide> values;
  values.reserve(n);
  for (uint64_t i = 0; i < n; ++i) values.push_back(static_cast<Wide>(in.number<Stored>(what)));
  return values;
}

MetaValue read_array(Cursor& in, const std::string& what) {
  const auto type = static_cast<ValueType>(in.number<uint32_t>(what));
  const auto n = in.number<uint64_t>(what);
  const uint64_t each = min_bytes(type);
  if (type == ValueType::kArray) in.fail(what + " is an array of arrays", "not supported");
  if (each == 0) {
    in.fail(what + " has the unknown element type " + std::to_string(static_cast<uint32_t>(type)));
  }
  if (n > in.left() / each) {
    in.fail(what + " claims " + std::to_string(n) + " elements, but only " +
                std::to_string(in.left()) + " bytes are left",
            "truncated or damaged; fetch it again");
  }
  if (type == ValueType::kString) {
    in.keep(n, sizeof(std::string), what);
  } else {
    in.keep(n, type == ValueType::kBool ? 1 : sizeof(uint64_t), what);
  }
  switch (type) {
    case ValueType::kU8:
      return read_numbers<uint64_t, uint8_t>(in, n, what);
    case ValueType::kI8:
      return read_numbers<int64_t, int8_t>(in, n, what);
    case ValueType::kU16:
      return read_numbers<uint64_t, uint16_t>(in, n, what);
    case ValueType::kI16:
      return read_numbers<int64_t, int16_t>(in, n, what);
    case ValueType::kU32:
      return read_numbers<uint64_t, uint32_t>(in, n, what);
    case ValueType::kI32:
      return read_numbers<int64_t, int32_t>(in, n, what);
    case ValueType::kF32:
      return read_numbers<double, float>(in, n, what);
    case ValueType::kU64:
      return read_numbers<uint64_t, uint64_t>(in, n, what);
    case ValueType::kI64:
      return read_numbers<int64_t, int64_t>(in, n, what);
    case ValueType::kF64:
      return read_numbers<double, double>(in, n, what);
    case ValueType::kBool: {
      std::vector<bool> values;
      values.reserve(n);
      for (uint64_t i = 0; i < n; ++i) values.push_back(in.boolean(what));
      return values;
    }
    case ValueType::kString: {
      std::vector<std::string> values;
      values.reserve(n);
      for (uint64_t i = 0; i < n; ++i) values.push_back(in.string(what));
      return values;
    }
    case ValueType::kArray:
      break;
  }
  CHECK(false && "every type has its case");
  return {};
}

MetaValue read_value(Cursor& in, uint32_t type, const std::string& what) {
  switch (static_cast<ValueType>(type)) {
    case ValueType::kU8:
      return uint64_t{in.number<uint8_t>(what)};
    case ValueType::kI8:
      return int64_t{in.number<int8_t>(what)};
    case ValueType::kU16:
      return uint64_t{in.number<uint16_t>(what)};
    case ValueType::kI16:
      return int64_t{in.number<int16_t>(what)};
    case ValueType::kU32:
      return uint64_t{in.number<uint32_t>(what)};
    case ValueType::kI32:
      return int64_t{in.number<int32_t>(what)};
    case ValueType::kF32:
      return double{in.number<float>(what)};
    case ValueType::kBool:
      return in.boolean(what);
    case ValueType::kString:
      return in.string(what);
    case ValueType::kArray:
      return read_array(in, what);
    case ValueType::kU64:
      return in.number<uint64_t>(what);
    case ValueType::kI64:
      return in.number<int64_t>(what);
    case ValueType::kF64:
      return in.number<double>(what);
  }
  in.fail(what + " has the unknown value type " + std::to_string(type));
}

void check_magic(Cursor& in, std::span<const std::byte> bytes) {
  if (bytes.empty()) in.fail("the file is empty", "fetch it again");
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<size_t>(bytes.size(), 64));
  if (head.substr(0, 4) == "GGUF") {
    in.number<uint32_t>("the magic");
    return;
  }
  std::string hint = "a GGUF model begins with 'GGUF'";
  if (head.starts_with("\x89MCAP0")) {
    hint = "this is a trace; `fulgurite view FILE` shows it";
  } else if (head.starts_with("version https://git-lfs")) {
    hint = "this is a git-lfs pointer; `git lfs pull` fetches the model itself";
  } else if (head.starts_with("lmgg") || head.starts_with("fmgg") || head.starts_with("tjgg")) {
    hint = "this is the format before GGUF; convert it with llama.cpp, if it is a language model's";
  } else if (head.starts_with("PK\x03\x04") ||
             (head[0] == '\x80' && head.size() > 1 && head[1] <= 5)) {
    hint = "pickled weights may hold programs and are not read; save them as safetensors";
  } else if (head.starts_with("\x1F\x8B")) {
    hint = "it is compressed; unpack it with gunzip";
  } else if (head.starts_with("<!") || head.starts_with("<html") || head.starts_with("<HTML")) {
    hint = "this is a web page; fetch the file behind it";
  } else if (head.starts_with("{")) {
    hint = "this is JSON; of a model in safetensors name the folder";
  } else if (std::string_view("GGUF").starts_with(head)) {
    hint = "truncated; fetch it again";
  }
  in.fail("not a GGUF model: it begins with " + quoted(head.substr(0, 8)), hint);
}

uint32_t read_version(Cursor& in) {
  const auto version = in.number<uint32_t>("the version");
  if (version == 2 || version == 3) return version;
  if (version == 1) {
    in.fail("GGUF version 1 is not supported", "convert the model again with llama.cpp");
  }
  if (version != 0 && (version & 0xFFFFU) == 0) {
    in.fail("the file is big-endian", "only little-endian GGUF is supported");
  }
  in.fail("GGUF version " + std::to_string(version) + " is not supported", "2 and 3 are");
}

// Reads one tensor info; `data` is still the offset, kept in `offset`.
Tensor read_info(Cursor& in, uint64_t index, uint64_t& offset) {
  const std::string unnamed = "tensor " + std::to_string(index);
  Tensor t;
  t.name = in.string(unnamed + "'s name", 2);
  if (t.name.empty() || t.name.size() > GgufWriter::kMostNameBytes) {
    in.fail(unnamed + " has a name of " + std::to_string(t.name.size()) + " bytes", "1 to 63");
  }
  const std::string what = "tensor " + quoted(t.name);
  const auto n_dims = in.number<uint32_t>(what);
  if (n_dims < 1 || n_dims > 4) {
    in.fail(what + " has " + std::to_string(n_dims) + " dimensions", "1 to 4");
  }
  int64_t elements = 1;
  for (uint32_t d = 0; d < n_dims; ++d) {
    t.ne[d] = in.number<int64_t>(what);
    if (t.ne[d] <= 0) {
      in.fail(what + " has the size " + std::to_string(t.ne[d]) + " in dimension " +
              std::to_string(d));
    }
    if (__builtin_mul_overflow(elements, t.ne[d], &elements)) {
      in.fail(what + " has more elements than 64 bits can count");
    }
  }
  const auto type = in.number<uint32_t>(what);
  const BlockSize block = dtype_block(type);
  if (const std::string_view old = withdrawn_dtype(type); !old.empty()) {
    in.fail(what + " is of type " + std::string(old) + ", which was withdrawn",
            "take the model's Q4_0 file, or convert the original again; one of Ollama's: pull it "
            "again");
  }
  if (block.elements == 0) {
    in.fail(what + " has the unknown " + dtype_name(type));
  }
  if (t.ne[0] % block.elements != 0) {
    in.fail(what + " has rows of " + std::to_string(t.ne[0]) + " elements, but " +
            dtype_name(type) + " comes in blocks of " + std::to_string(block.elements));
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(elements / block.elements, static_cast<int64_t>(block.bytes),
                             &bytes)) {
    in.fail(what + " has more bytes than 63 bits can count");
  }
  t.dtype = static_cast<DType>(type);
  offset = in.number<uint64_t>(what);
  return t;
}

void check_extents(const Cursor& in, const std::vector<Tensor>& tensors,
                   const std::vector<uint64_t>& offsets, uint64_t alignment, uint64_t data_bytes) {
  std::vector<size_t> order(tensors.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return offsets[a] < offsets[b]; });
  uint64_t end = 0;
  size_t before = 0;
  for (const size_t i : order) {
    const std::string what = "tensor " + quoted(tensors[i].name);
    if (offsets[i] % alignment != 0) {
      in.fail(what + " begins at " + std::to_string(offsets[i]) + ", not a multiple of " +
              std::to_string(alignment));
    }
    if (offsets[i] > data_bytes || tensors[i].bytes() > data_bytes - offsets[i]) {
      in.fail("the file ends before the data of " + what + ": " +
                  std::to_string(tensors[i].bytes()) + " bytes wanted at byte " +
                  std::to_string(offsets[i]) + " of the data, which has " +
                  std::to_string(data_bytes),
              "truncated or damaged; fetch it again");
    }
    if (offsets[i] < end && tensors[i].name == tensors[before].name) in.fail(what + " comes twice");
    if (offsets[i] < end) in.fail(what + " overlaps tensor " + quoted(tensors[before].name));
    const uint64_t expected = (end + alignment - 1) / alignment * alignment;
    if (offsets[i] != expected) {
      in.fail(what + " begins at " + std::to_string(offsets[i]) +
                  ", but the tensors before it end at " + std::to_string(expected),
              "the alignment is not what general.alignment says, or the file is damaged");
    }
    end = offsets[i] + tensors[i].bytes();
    before = i;
  }
}

void check_count(const Cursor& in, uint64_t n, const char* what) {
  if (n <= kMaxEntries) return;
  in.fail("the header claims " + std::to_string(n) + " " + what, "up to 65536 are read");
}

}  // namespace

ModelFile parse_gguf(std::span<const std::byte> bytes, std::string name) {
  constexpr uint64_t kMinKvBytes = 8 + 1 + 4 + 1;
  constexpr uint64_t kMinInfoBytes = 8 + 1 + 4 + 8 + 4 + 8;
  Cursor in(bytes, name);
  check_magic(in, bytes);
  const uint32_t version = read_version(in);
  ModelFile file(name, "GGUF v" + std::to_string(version), bytes.size());
  const auto n_tensors = in.number<uint64_t>("the header");
  const auto n_kv = in.number<uint64_t>("the header");
  if (n_kv > in.left() / kMinKvBytes) {
    in.fail("the header claims " + std::to_string(n_kv) + " metadata values, more than " +
                std::to_string(in.left()) + " bytes can hold",
            "truncated or damaged; fetch it again");
  }
  check_count(in, n_kv, "metadata values");
  in.keep(n_kv, kEntryBytes, "the header");
  for (uint64_t i = 0; i < n_kv; ++i) {
    std::string key = in.string("the key of metadata value " + std::to_string(i), 2);
    if (key.empty() || key.size() > kMaxKeyBytes) {
      in.fail("metadata value " + std::to_string(i) + " has a key of " +
                  std::to_string(key.size()) + " bytes",
              "1 to 65535");
    }
    const std::string shown = quoted(key);
    if (file.find(key) != nullptr) in.fail("the key " + shown + " comes twice");
    const auto type = in.number<uint32_t>(shown);
    if (key == "general.alignment" && type != static_cast<uint32_t>(ValueType::kU32))
      in.fail("general.alignment is not an unsigned number of 32 bits", "as GGUF asks for");
    file.add(std::move(key), read_value(in, type, shown));
  }
  const int64_t alignment =
      file.get_int("general.alignment", 1, std::numeric_limits<uint32_t>::max(),
                   static_cast<int64_t>(kDefaultAlignment));
  if (!std::has_single_bit(static_cast<uint64_t>(alignment)) || alignment % 8 != 0) {
    in.fail("general.alignment is " + std::to_string(alignment), "a power of two, 8 or more");
  }

  if (n_tensors > in.left() / kMinInfoBytes) {
    in.fail("the header claims " + std::to_string(n_tensors) + " tensors, more than " +
                std::to_string(in.left()) + " bytes can describe",
            "truncated or damaged; fetch it again");
  }
  check_count(in, n_tensors, "tensors");
  in.keep(n_tensors, 2 * kEntryBytes, "the header");
  std::vector<uint64_t> offsets(n_tensors);
  std::vector<Tensor> tensors;
  tensors.reserve(n_tensors);
  for (uint64_t i = 0; i < n_tensors; ++i) tensors.push_back(read_info(in, i, offsets[i]));
  if (n_tensors > 0) {
    const auto step = static_cast<uint64_t>(alignment);
    const uint64_t padding = (step - in.position() % step) % step;
    in.need(padding, "the padding before the tensor data");
    const uint64_t data_begin = in.position() + padding;
    check_extents(in, tensors, offsets, step, bytes.size() - data_begin);
    for (uint64_t i = 0; i < n_tensors; ++i) {
      tensors[i].data = bytes.data() + data_begin + offsets[i];
    }
  }
  for (Tensor& tensor : tensors) {
    const std::string shown = quoted(tensor.name);
    if (!file.add(std::move(tensor))) in.fail("tensor " + shown + " comes twice");
  }
  return file;
}

}  // namespace model
