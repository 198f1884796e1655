// libFuzzer target: any bytes are either a trace, of which every step can be shown and explained,
// or refused with an Error. A chunk whose checksum is zero says that it has none.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/trace/file.h"
#include "engine/trace/reader.h"
#include "model/error.h"
#include "render/scene/bolt_meaning.h"
#include "render/scene/choreography.h"
#include "render/scene/layout.h"
#include "render/scene/node_meaning.h"

namespace {

// A file in memory, which load_file() can open by its path.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : descriptor_(memfd_create("fuzz", 0)) {
    for (size_t done = 0; done < size;) {
      const ssize_t written = write(descriptor_, data + done, size - done);
      if (written <= 0) std::abort();
      done += static_cast<size_t>(written);
    }
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Every number of what was asked about a position.
double sum_of_answers(const trace::Position& at) {
  double sum = 0.0;
  for (const trace::LensRow& row : at.lens.rows) sum += static_cast<double>(row.probability);
  for (size_t row = 0; row < at.lens.rows.size(); ++row)
    for (const trace::Candidate& c : at.lens.top_of(row)) sum += c.text_bytes > 0 ? c.text[0] : 0;
  const trace::Attribution& a = at.attribution;
  for (const auto terms : {a.head, a.attention_bias, a.ffn, a.ffn_bias})
    for (const float term : terms) sum += static_cast<double>(term);
  for (const trace::NeuronTerm& n : a.neurons) sum += static_cast<double>(n.term);
  return sum;
}

void show(const trace::Reader& reader) {
  const scene::Layout layout({*reader.model()});
  volatile double sum = 0.0;
  for (size_t p = 0; p < reader.positions(); ++p) sum = sum + sum_of_answers(reader.position(p));
  for (size_t step = 0; step < reader.steps(); ++step) {
    const scene::Script script = choreograph(reader, layout, step);
    for (const shaders::Light& light : script.lights) {
      if (light.node >= layout.elements()) std::abort();
      explain(reader, layout, layout.ref(light.node), step);
      besides(reader, layout, layout.ref(light.node), step, true);
    }
    for (const shaders::Bolt& bolt : script.bolts) {
      if (bolt.from_node >= layout.elements()) std::abort();
      if (bolt.to_node >= layout.elements()) std::abort();
      explain_bolt(reader, layout, step, bolt);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  trace::Log log(size_t{1} << 22);
  try {
    trace::load_file(file.path(), log);
    trace::Reader reader(log);
    reader.poll();
    if (reader.model() != nullptr) show(reader);
  } catch (const fulgurite::Error&) {
  }
  return 0;
}
