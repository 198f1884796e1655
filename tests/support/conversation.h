// A session on a model file with its trace and a reader of it.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "engine/session.h"
#include "engine/trace/reader.h"
#include "tests/support/data.h"

namespace tests {

inline std::string builtin_model_path() {
  return (repository() / "assets/fulgurite.gguf").string();
}
inline std::string gqa_model_path() {
  return data("models/llama-gqa.gguf").string();
}

// The same with room for a prompt of several batches.
inline std::string model_of_long_context(const TempFolder& folder, uint32_t context = 4096) {
  std::string bytes = read_file(gqa_model_path());
  const std::string key = "llama.context_length";
  constexpr size_t kType = 4;
  bytes.replace(bytes.find(key) + key.size() + kType, sizeof context,
                reinterpret_cast<const char*>(&context), sizeof context);
  std::ofstream(folder.file("long.gguf"), std::ios::binary) << bytes;
  return folder.file("long.gguf");
}

inline constexpr engine::Sampling kGreedy{0.0F, 0, 1.0F, 1};

struct Conversation {
  explicit Conversation(const std::string& path, trace::Level level = trace::Level::kLive,
                        uint64_t detail_limit = uint64_t{1} << 30, int threads = 1)
      : model(engine::ModelSource{path, {}}, threads),
        log(detail_limit),
        session(model, log, {0, level}),
        reader(log) {}

  // To the end; the reader has seen everything.
  void run(const std::string& prompt, uint32_t n, const engine::Sampling& sampling = kGreedy) {
    session.start(engine::Generate{prompt, n, sampling});
    while (!session.finished()) session.step();
    reader.poll();
  }
  // The answer stays good until the reader's next poll.
  const trace::TensorAnswer& ask(const std::string& name, uint32_t position, int32_t first_row = 0,
                                 int32_t rows = -1) {
    session.inspect({++request, name, position, first_row, rows});
    reader.poll();
    return *reader.answer(request);
  }

  engine::LoadedModel model;
  trace::Log log;
  engine::Session session;
  trace::Reader reader;
  uint64_t request = 0;
};

}  // namespace tests
