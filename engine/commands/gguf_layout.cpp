#include "engine/commands/gguf_layout.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "model/format/gguf.h"
#include "model/quantize.h"
#include "model/utf8.h"

namespace engine::commands {

using model::ModelFile;
using model::Tensor;

namespace {

constexpr const char* kHalves = "fulgurite.rope.halves";

// Where row (or value of a bias) `to` of pairs lies in halves.
int64_t in_halves(int64_t to, int64_t d) {
  const int64_t in_head = to % d;
  return to - in_head + in_head / 2 + in_head % 2 * (d / 2);
}

// Rows [first, first + n) of W_q or W_k, or of their biases, in pairs: bytes of their own.
std::vector<std::byte> in_pairs(const Tensor& t, int64_t d, int64_t first, int64_t n) {
  const bool bias = t.rows() == 1;
  const size_t size = bias ? t.bytes() / static_cast<size_t>(t.cols()) : t.row_bytes();
  const int64_t begin = bias ? 0 : first;
  const int64_t count = bias ? t.cols() : n;
  std::vector<std::byte> bytes(size * static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(bytes.data() + size * static_cast<size_t>(i),
                t.data + size * static_cast<size_t>(in_halves(begin + i, d)), size);
  }
  return bytes;
}

// Throws where no GGUF file could hold tensors of these names.
void require_names(const ModelFile& file, const std::vector<OutputTensor>& list) {
  constexpr size_t kMost = model::GgufWriter::kMostNameBytes;
  std::unordered_set<std::string_view> names;
  for (const OutputTensor& tensor : list) {
    const std::string& name = tensor.shape.name;
    if (name.size() > kMost) {
      file.fail("the tensor's name " + model::quoted(name) + " has " + std::to_string(name.size()) +
                    " bytes",
                "GGUF allows " + std::to_string(kMost));
    }
    if (!names.insert(name).second) {
      file.fail("tensor " + model::quoted(name) + " is there as a whole and expert by expert");
    }
  }
}

}  // namespace

std::string stack_of(const std::string& name) {
  for (const char* matrix : {".ffn_gate.", ".ffn_up.", ".ffn_down."}) {
    const size_t at = name.find(matrix);
    if (at == std::string::npos) continue;
    const size_t number = at + std::string_view(matrix).size();
    const size_t end = name.find('.', number);
    const bool digits = end != std::string::npos && end > number &&
                        std::all_of(name.begin() + static_cast<std::ptrdiff_t>(number),
                                    name.begin() + static_cast<std::ptrdiff_t>(end),
                                    [](char c) { return c >= '0' && c <= '9'; });
    if (digits && name.substr(end) == ".weight") return name.substr(0, number - 1) + "_exps.weight";
  }
  return {};
}

bool tells_of_layout(const std::string& key) {
  return key == kHalves;
}

std::vector<OutputTensor> gguf_tensors(const ModelFile& file) {
  const int64_t head_width = file.get_bool(kHalves, false) ? model::read_config(file).head_dim : 0;
  std::vector<OutputTensor> list;
  std::unordered_map<std::string, size_t> stacks;
  for (const Tensor& t : file.tensors()) {
    const std::string stack = stack_of(t.name);
    if (!stack.empty()) {
      const auto [at, is_new] = stacks.emplace(stack, list.size());
      if (is_new) {
        list.push_back({t, {}, 0});
        list.back().shape.name = stack;
        list.back().shape.data = nullptr;
        list.back().shape.ne[2] = 0;
      }
      OutputTensor& all = list[at->second];
      // Parts lie by their numbers, whatever their order in the file.
      const std::string name =
          stack.substr(0, stack.find("_exps")) + "." + std::to_string(all.parts.size()) + ".weight";
      const Tensor* next = file.find_tensor(name);
      const bool alike = next != nullptr && next->dtype == all.shape.dtype &&
                         next->ne[0] == all.shape.ne[0] && next->ne[1] == all.shape.ne[1] &&
                         next->ne[2] == 1 && next->ne[3] == 1;
      if (!alike) file.fail("tensor " + model::quoted(t.name) + " is not like other experts");
      all.parts.push_back(next);
      ++all.shape.ne[2];
      continue;
    }
    const bool turned = t.name.find(".attn_q.") != std::string::npos ||
                        t.name.find(".attn_k.") != std::string::npos;
    const int64_t d = turned ? head_width : 0;
    const int64_t outputs = t.rows() == 1 ? t.cols() : t.rows();
    const bool in_blocks = t.rows() == 1 && model::dtype_block(t.dtype).elements > 1;
    if (d > 0 && (outputs % d != 0 || in_blocks))
      file.fail("tensor " + model::quoted(t.name) + " does not divide into heads");
    list.push_back({t, {&t}, d});
  }
  require_names(file, list);
  return list;
}

void convert_rows(const OutputTensor& tensor, int64_t first, int64_t n, model::DType type,
                  std::byte* out, model::ThreadPool& pool) {
  if (tensor.head_width > 0) {
    Tensor part = *tensor.parts.front();
    const std::vector<std::byte> bytes = in_pairs(part, tensor.head_width, first, n);
    if (part.rows() > 1) part.ne = {part.cols(), n, 1, 1};
    part.data = bytes.data();
    return model::convert_rows(part, 0, n, type, out, pool);
  }
  const int64_t rows = tensor.parts.front()->rows();  // of every part
  const size_t row_bytes = model::dtype_row_bytes(type, tensor.shape.cols());
  while (n > 0) {
    const Tensor& part = *tensor.parts[static_cast<size_t>(first / rows)];
    const int64_t take = std::min(n, rows - first % rows);
    model::convert_rows(part, first % rows, take, type, out, pool);
    first += take;
    n -= take;
    out += row_bytes * static_cast<size_t>(take);
  }
}

}  // namespace engine::commands
