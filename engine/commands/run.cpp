#include "engine/commands/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "engine/best.h"
#include "engine/softmax.h"
#include "engine/standard_streams.h"
#include "engine/stop_signals.h"
#include "engine/threads.h"
#include "engine/trace/file.h"
#include "engine/trace/server.h"
#include "model/error.h"

namespace engine::commands {

namespace {

// Text to stdout. A token's text is data: on a terminal it must not move the cursor or give orders.
class Output {
 public:
  void write(const std::string& text) { put(terminal_ ? without_controls(held_ + text) : text); }
  void end() { put(std::exchange(held_, {})); }
  // Nobody reads it any more: nothing is written.
  bool has_no_reader() const { return no_reader_; }

 private:
  // What the next token decides is held back.
  std::string without_controls(const std::string& text) {
    std::string out;
    held_.clear();
    for (size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (i + 1 == text.size() && (c == '\r' || c == 0xC2)) {
        held_ = text[i];
        break;
      }
      const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
      const bool c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;  // U+0080 to U+009F
      const bool line = c == '\n' || (c == '\r' && next == '\n');
      if ((c < 0x20 && !line && c != '\t') || c == 0x7F || c1) {
        out += "\xEF\xBF\xBD";  // U+FFFD
        i += c1 ? 1 : 0;
      } else {
        out += text[i];
      }
    }
    return out;
  }
  void put(const std::string& text) {
    if (no_reader_) return;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
        std::fflush(stdout) != 0) {
      no_reader_ = reader_is_gone();
      if (no_reader_) return;
      throw fulgurite::Error(fulgurite::ExitCode::kFailed, "cannot write the text", "stdout");
    }
  }

  bool terminal_ = ::isatty(STDOUT_FILENO) != 0;
  bool no_reader_ = false;
  std::string held_;
};

nlohmann::ordered_json describe(const LoadedModel& model, int32_t id, double logprob) {
  // A control token has a name, but adds nothing to the text.
  auto bytes = nlohmann::ordered_json::array();
  for (const char c : model.tokenizer->piece(id)) bytes.push_back(static_cast<unsigned char>(c));
  return {{"id", id},
          {"text", std::string(model.tokenizer->label(id))},
          {"bytes", bytes},
          {"logprob", logprob}};
}

// The trace's file reads it batch by batch, and a batch's detail has 64 MB; viewers as they can.
constexpr uint64_t kDetailBytes = uint64_t{256} << 20;

// One line about the token that was drawn from these logits.
std::string json_line(const LoadedModel& model, std::span<const float> logits, size_t position,
                      int32_t id, size_t n) {
  const Softmax softmax = softmax_of(logits, 1.0F);
  const auto logprob = [&](int32_t i) {
    return double{logits[static_cast<size_t>(i)]} - double{softmax.max} - std::log(softmax.sum);
  };
  nlohmann::ordered_json line = {{"position", position}};
  line.update(describe(model, id, logprob(id)));
  line["top"] = nlohmann::ordered_json::array();
  Best best;
  best.reset(logits);
  for (size_t i = 0; i < std::min(n, logits.size()); ++i) {
    line["top"].push_back(describe(model, best[i], logprob(best[i])));
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// The text begins when somebody watches, and does not only look whether anybody is there. False: a
// signal came first.
bool wait_for_viewer(const trace::Server& server) {
  constexpr int kStays = 5;  // looks
  tell(fmt::format("waiting for: fulgurite view {}", server.address()));
  for (int seen = 0; seen < kStays;) {
    if (StopSignals::asked()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    seen = server.watching() > 0 ? seen + 1 : 0;
  }
  return true;
}

// Viewers get all of it; after a signal, what they take within seconds.
void take_leave(trace::Server& server) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds kAfterSignal{2};
  const auto begin = Clock::now();
  bool told = false;
  std::optional<Clock::time_point> signal;
  server.finish([&] {
    const auto now = Clock::now();
    if (!told && now - begin > std::chrono::seconds(1)) {
      tell(
          fmt::format("waiting until viewers have it all: {} (Ctrl-C ends it)", server.watching()));
      told = true;
    }
    if (!signal && StopSignals::asked()) signal = now;
    return signal && now - *signal > kAfterSignal;
  });
}

// Of n tokens, the first was drawn from what the prompt gave.
void say_speed(size_t prompt, std::chrono::duration<double> reading, size_t n,
               std::chrono::duration<double> writing) {
  const auto rate = [](size_t of, double seconds) {
    return static_cast<double>(of) / std::max(seconds, 1e-9);
  };
  std::string line =
      fmt::format("prompt of {} token{} in {:.3g} s, {:.0f} tokens/s", prompt,
                  prompt == 1 ? "" : "s", reading.count(), rate(prompt, reading.count()));
  if (n > 1) {
    line += fmt::format("; {} generated, {:.0f} tokens/s", n, rate(n - 1, writing.count()));
  }
  tell(line);
}

}  // namespace

int run(const RunOptions& options) {
  LoadedModel model(options.model, thread_count(options.threads));
  trace::Log log(kDetailBytes);
  SessionOptions session_options = options.session;
  if (options.trace_path.empty() && options.serve.empty())
    session_options.level = trace::Level::kOff;
  Session session(model, log, session_options);
  std::unique_ptr<trace::FileWriter> file;
  if (!options.trace_path.empty())
    file = std::make_unique<trace::FileWriter>(log, options.trace_path);
  session.start(options.generate);  // what it refuses must not have replaced an older trace
  const StopSignals signals;        // the text ends after the token at hand
  std::unique_ptr<trace::Server> server;
  if (!options.serve.empty()) {
    server = std::make_unique<trace::Server>(log, options.serve);
    if (!wait_for_viewer(*server)) return 0;
  }

  Output output;
  const size_t prompt = session.tokens().size();
  bool in_prompt = false;  // was it stopped
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  std::optional<Clock::time_point> read;  // the prompt, with the first token drawn
  while (!session.finished() && !StopSignals::asked() && !output.has_no_reader()) {
    const std::string text = session.step([&] {
      if (file) file->drain();
      in_prompt = StopSignals::asked();
      return !in_prompt;
    });
    if (!read) read = Clock::now();
    if (!options.json) {
      output.write(text);
    } else if (!session.finished()) {
      const size_t last = session.tokens().size() - 1;
      output.write(
          json_line(model, session.logits(), last, session.tokens()[last], options.logprobs));
    }
    if (file) file->drain();
  }
  session.stop();
  output.end();
  if (!options.json) output.write("\n");
  if (file) file->finish();
  const size_t tokens = session.tokens().size();
  if (in_prompt) {
    tell(fmt::format("stopped in the prompt of {} tokens", prompt));
  } else if (read) {
    say_speed(prompt, *read - begin, tokens - prompt, Clock::now() - *read);
  }
  const bool full = session.finished() && static_cast<int64_t>(tokens) >= session.context();
  if (full && (options.generate.n == 0 || tokens < prompt + options.generate.n)) {
    tell(fmt::format("the context of {} tokens is full", session.context()));
  }
  if (file) tell(fmt::format("trace: {}", options.trace_path));
  if (server) take_leave(*server);
  return output.has_no_reader() ? kReaderIsGone : 0;
}

}  // namespace engine::commands
