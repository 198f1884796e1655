#include "engine/commands/run.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>

#include "engine/trace/file.h"
#include "model/error.h"

namespace engine::commands {

namespace {

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

int run(const RunOptions& options) {
  LoadedModel model(options.model);
  trace::Log log;
  SessionOptions session_options = options.session;
  if (options.trace_path.empty()) session_options.level = trace::Level::kOff;
  Session session(model, log, session_options);
  std::unique_ptr<trace::FileWriter> file;
  if (!options.trace_path.empty())
    file = std::make_unique<trace::FileWriter>(log, options.trace_path);
  interrupted = 0;
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });

  session.start(options.generate);
  const auto begin = std::chrono::steady_clock::now();
  while (!session.finished() && interrupted == 0) {
    const std::string text = session.step();
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
        std::fflush(stdout) != 0) {
      throw fulgurite::Error(fulgurite::ExitCode::kFailed, "cannot write the text", "stdout");
    }
    if (file) file->drain();
  }
  std::fputc('\n', stdout);
  if (file) file->finish();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::fprintf(stderr, "%zu tokens in %.2f s, %.0f tokens/s\n", session.tokens().size(), seconds,
               static_cast<double>(session.tokens().size()) / seconds);
  if (file) std::fprintf(stderr, "trace: %s\n", options.trace_path.c_str());
  return 0;
}

}  // namespace engine::commands
