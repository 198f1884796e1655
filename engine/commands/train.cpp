#include "engine/commands/train.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "engine/stop_signals.h"
#include "engine/threads.h"
#include "engine/trace/machine_memory.h"
#include "model/error.h"
#include "model/train/checkpoint.h"
#include "model/train/corpus.h"
#include "model/train/trainer.h"
#include "model/utf8.h"

namespace engine::commands {
namespace {

using Clock = std::chrono::steady_clock;
using fulgurite::Error;
using fulgurite::ExitCode;

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::max(0.0, seconds));
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}m{:02}s", s / 60, s % 60);
}

model::Config config_of(const TrainOptions& o) {
  model::Config c;
  c.name = o.name;
  c.n_layer = o.layers;
  c.n_head = o.heads;
  c.n_head_kv = o.kv_heads != 0 ? o.kv_heads : (o.heads % 2 == 0 ? o.heads / 2 : o.heads);
  c.n_embd = o.dim;
  c.n_ff = o.ffn != 0 ? o.ffn : (o.dim * 27 / 16 + 7) / 8 * 8;
  c.n_ctx = o.ctx;
  c.n_vocab = model::train::kByteVocabulary;
  return c;
}

model::train::Settings settings_of(const TrainOptions& o) {
  const auto real = [](double x) { return static_cast<float>(x); };
  model::train::Settings s;
  s.steps = o.steps;
  s.warmup = o.warmup >= 0 ? o.warmup : std::min<int64_t>(200, o.steps / 10);
  s.batch = o.batch;
  s.length = o.ctx;
  s.full_every = o.full_every;
  s.muon = o.muon;
  s.momentum = real(o.momentum);
  s.lr = real(o.lr);
  s.min_lr = real(o.min_lr);
  s.beta1 = real(o.beta1);
  s.beta2 = real(o.beta2);
  s.weight_decay = real(o.weight_decay);
  s.clip = real(o.clip);
  s.dropout = real(o.dropout);
  s.seed = o.seed;
  // More threads than sequences have nothing to do.
  const auto most = static_cast<int>(2 * std::clamp<int64_t>(o.batch, 1, 128));
  s.threads = o.threads != 0 ? o.threads : std::min(physical_cores(), most);
  return s;
}

// What a run is told besides its shape, its seed and its optimiser, a flag a line.
std::string text_of(const model::train::Settings& s) {
  std::string text;
  const auto add = [&](const char* flag, auto value) {
    text += fmt::format("{} {}\n", flag, value);
  };
  add("--steps", s.steps);
  add("--warmup", s.warmup);
  add("--batch", s.batch);
  add("--full-every", s.full_every);
  add("--lr", s.lr);
  add("--min-lr", s.min_lr);
  add("--momentum", s.momentum);
  add("--beta1", s.beta1);
  add("--beta2", s.beta2);
  add("--weight-decay", s.weight_decay);
  add("--clip", s.clip);
  add("--dropout", s.dropout);
  add("--threads", s.threads);
  return text;
}

// The loss log: one JSON object a line. When a run is resumed, lines of steps that will be
// walked again are dropped.
class LossLog {
 public:
  LossLog(const std::string& path, int64_t resumed_step) {
    if (path.empty()) return;
    std::string kept;
    if (resumed_step > 0) {
      std::ifstream old(path);
      for (std::string line; std::getline(old, line);) {
        if (old.eof()) break;  // cut off where the disk was full
        long long step = 0;
        if (std::sscanf(line.c_str(), "{\"step\":%lld", &step) != 1) {
          throw Error(ExitCode::kUsage, "is not the log of a training run", path,
                      "name another --log");
        }
        if (step <= resumed_step) kept += line + "\n";
      }
    }
    file_.open(path, std::ios::trunc);
    file_ << kept << std::flush;
    if (!file_) throw Error(ExitCode::kFailed, "cannot be written", path);
  }

  // False: it cannot be written on, and ends here.
  bool line(const std::string& text) {
    if (!file_.is_open()) return true;
    file_ << text << '\n' << std::flush;
    if (file_) return true;
    file_.close();
    return false;
  }

 private:
  std::ofstream file_;
};

class Run {
 public:
  explicit Run(const TrainOptions& options)
      : options_(options), config_(config_of(options)), settings_(settings_of(options)) {
    if (options.eval_every < 1 || options.log_every < 1)
      throw Error(ExitCode::kUsage, "must be 1 or more", "--eval-every, --log-every");
    model::train::check_settings(config_, settings_, trace::machine_memory() / 4 * 3);
    prepare_outputs();
    corpus_.emplace(options.text, options.ctx);
    trainer_.emplace(config_, settings_, corpus_->training());
    if (!options.resume.empty()) resume();
    log_.emplace(options.log, trainer_->state().step);
  }

  int go() {
    const StopSignals signals;
    say(fmt::format(
        "{} parameters: layers {}, width {}, heads {}, KV heads {}, FFN {}; threads {}, about "
        "{:.0f} MB",
        model::train::Parameters::count(config_), config_.n_layer, config_.n_embd, config_.n_head,
        config_.n_head_kv, config_.n_ff, settings_.threads,
        model::train::trainer_bytes(config_, settings_) / 1e6));
    const int64_t first = trainer_->state().step;
    // Also what a stop has left out.
    if (first % options_.eval_every == 0 || first >= settings_.steps) validate();
    checkpoint();
    begin_ = Clock::now();
    report_begin_ = begin_;
    while (trainer_->state().step < settings_.steps && !StopSignals::asked()) {
      const auto report = trainer_->step();
      const int64_t step = trainer_->state().step;
      if (!std::isfinite(report.loss) || !std::isfinite(report.grad_norm))
        diverged(std::isfinite(report.loss) ? "gradient" : "loss");
      sum_ += report.loss;
      ++count_;
      const bool last = step == settings_.steps;
      const bool validation = last || step % options_.eval_every == 0;
      if (validation || step % options_.log_every == 0 || step == 1)
        progress(report, first, validation);
      if (validation) save();
      checkpoint();
    }
    if (StopSignals::asked()) {
      stop();
    } else {
      const std::string when = written_loss_ == best_loss_ ? fmt::format("at step {}", best_step_)
                                                           : std::string("of an earlier stop");
      say(fmt::format("done in {}: best validation loss {:.4f} {}, written to {}",
                      duration(seconds_since(begin_)), written_loss_, when, options_.output));
    }
    return static_cast<int>(lost_ ? ExitCode::kFailed : ExitCode::kOk);
  }

 private:
  [[noreturn]] void diverged(const char* what) const {
    throw Error(ExitCode::kFailed,
                fmt::format("the {} is no number at step {}", what, trainer_->state().step),
                options_.output, "a smaller --lr");
  }

  // First what cannot be had again. The last weights are the model if they are the best; but a run
  // that goes on does so as if it had not been stopped.
  void stop() {
    const int64_t step = trainer_->state().step;
    save();
    if (step != validated_step_ && !gave_up_) {
      say("stopping: one more validation (Ctrl-C again leaves it out)");
      const double loss = trainer_->evaluate(corpus_->validation(), window()).loss;
      if (loss < written_loss_) {
        save_model(trainer_->state().weights, loss);
        save();
      }
    }
    say(
        fmt::format("stopped at step {} of {}: {} holds the best weights {}; the same command with "
                    "--resume {} goes on from here",
                    step, settings_.steps, options_.output,
                    gave_up_ ? "of earlier validations" : "so far", options_.output));
  }

  static double seconds_since(Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
  }

  // On a terminal a report that no validation follows is overwritten by the next.
  static void say(const std::string& line, bool stays = true) {
    const bool terminal = isatty(STDERR_FILENO) != 0;
    std::fprintf(stderr, "%s%s%s", terminal ? "\r\033[K" : "", line.c_str(),
                 terminal && !stays ? "" : "\n");
    std::fflush(stderr);
  }

  std::string state_path() const { return options_.output + ".state"; }

  // A model, or a run, that somebody may have trained for hours.
  void refuse_to_replace() const {
    std::error_code ignored;
    const auto refuse = [&](const std::string& path, const char* option) {
      if (!std::filesystem::is_regular_file(path, ignored)) return;
      if (std::filesystem::equivalent(path, options_.text, ignored)) {
        throw Error(ExitCode::kUsage, "is read and cannot be written as well", path,
                    fmt::format("name another {}", option));
      }
      throw Error(ExitCode::kUsage, "exists already, and training would replace it", path,
                  std::filesystem::exists(state_path(), ignored)
                      ? fmt::format("--resume {} goes on with it; or name another {}",
                                    options_.output, option)
                      : fmt::format("remove it, or name another {}", option));
    };
    refuse(options_.output, "-o");
    refuse(state_path(), "-o");
    if (!options_.resume.empty()) return;
    refuse(options_.log, "--log");
    for (const int64_t step : options_.checkpoint_steps)
      refuse(snapshot_path(step), "--checkpoints");
  }

  void prepare_outputs() const {
    std::error_code ignored;
    if (options_.resume != options_.output &&
        !std::filesystem::equivalent(options_.resume, options_.output, ignored))
      refuse_to_replace();
    model::train::check_writable(options_.output);
    model::train::check_writable(state_path());
    if (!options_.log.empty()) model::train::check_writable(options_.log);
    if (options_.checkpoints.empty()) {
      if (!options_.checkpoint_steps.empty()) {
        throw Error(ExitCode::kUsage, "needs --checkpoints DIR", "--checkpoint-steps");
      }
      return;
    }
    if (options_.checkpoint_steps.empty()) {
      throw Error(ExitCode::kUsage, "needs --checkpoint-steps", "--checkpoints",
                  "say at which steps: 0,100,1000");
    }
    for (const int64_t step : options_.checkpoint_steps) {
      if (step >= 0 && step <= options_.steps) continue;
      throw Error(ExitCode::kUsage, fmt::format("{} is no step of this run", step),
                  "--checkpoint-steps", fmt::format("0 to {}", options_.steps));
    }
    std::error_code failure;
    std::filesystem::create_directories(options_.checkpoints, failure);
    model::train::check_writable(options_.checkpoints + "/step-000000.gguf");
  }

  void resume() {
    model::train::RunState state = model::train::load_state(options_.resume + ".state", config_,
                                                            settings_.seed, options_.muon);
    say_what_is_new(state.settings);
    trainer_->set_state(std::move(state.trainer));
    std::error_code ignored;
    written_ = std::filesystem::equivalent(options_.resume, options_.output, ignored);
    if (state.text != 0 && state.text != corpus_->hash()) {
      say(fmt::format("{} is another text than before: what was best does not count on it",
                      options_.text));
      return;
    }
    if (state.best_step < 0) return;
    best_loss_ = state.best_loss;
    best_step_ = state.best_step;
    best_ = std::move(state.best);
    // What a stop left there may be better than the best that the run knows of.
    written_loss_ = state.written_loss;
    if (!written_) save_model(*best_, best_loss_);
  }

  // Before: text_of() of the run that goes on; empty: it does not say.
  void say_what_is_new(const std::string& before) const {
    std::istringstream old_lines(before), lines(text_of(settings_));
    for (std::string old, line; std::getline(old_lines, old) && std::getline(lines, line);) {
      if (old != line)
        say(fmt::format("{} from here on, {} before", line,
                        model::printable(old.substr(old.find(' ') + 1))));
    }
  }

  // Validation looks no further back than the model can.
  int64_t window() const { return std::min(options_.eval_window, options_.ctx); }

  // loss: of the validation part with these weights.
  void save_model(const model::train::Parameters& weights, double loss) {
    written_ = true;
    written_loss_ = loss;
    model::train::save_gguf(weights.weights(), config_, options_.output,
                            options_.f32 ? model::DType::kF32 : model::DType::kF16);
  }

  void save() {
    if (!written_) save_model(best_ ? *best_ : trainer_->state().weights, best_loss_);
    model::train::save_state({.trainer = trainer_->state(),
                              .seed = settings_.seed,
                              .muon = settings_.muon,
                              .best_loss = best_loss_,
                              .best_step = best_step_,
                              .best = best_,
                              .written_loss = written_loss_,
                              .text = corpus_->hash(),
                              .settings = text_of(settings_)},
                             state_path());
  }

  // Validates, logs the start of a run, and writes the model when it is the best so far; an
  // untrained one only when there is nothing to come. None: a stop was asked for meanwhile.
  std::optional<double> validate() {
    const auto found =
        trainer_->evaluate(corpus_->validation(), window(), [] { return StopSignals::asked(); });
    gave_up_ = found.tokens == 0;
    if (gave_up_) return {};
    const double loss = found.loss;
    if (!std::isfinite(loss)) diverged("validation's loss");
    const int64_t step = trainer_->state().step;
    validated_step_ = step;
    if (loss < best_loss_) {
      best_loss_ = loss;
      best_step_ = step;
      best_ = trainer_->state().weights;
      if (loss < written_loss_ && (step > 0 || settings_.steps == 0)) save_model(*best_, loss);
    }
    if (step == 0) {
      log(fmt::format(R"({{"step":0,"val_loss":{:.5f},"lr":0,"seconds":0}})", loss));
      say(fmt::format("step 0: validation loss {:.4f}", loss));
    }
    return loss;
  }

  void progress(const model::train::Trainer::StepReport& report, int64_t first, bool validation) {
    const int64_t step = trainer_->state().step;
    const double loss = sum_ / static_cast<double>(count_);
    const double spent = seconds_since(report_begin_);
    const double rate = static_cast<double>(count_ * settings_.batch * settings_.length) / spent;
    sum_ = 0.0;
    count_ = 0;
    std::string json = fmt::format(R"({{"step":{},"train_loss":{:.5f})", step, loss);
    std::string line = fmt::format("step {}/{}: loss {:.4f}", step, settings_.steps, loss);
    if (validation) {
      if (const auto val = validate()) {
        json += fmt::format(R"(,"val_loss":{:.5f})", *val);
        line += fmt::format(", validation {:.4f} (best {:.4f})", *val, best_loss_);
      }
    }
    const double elapsed = seconds_since(begin_);
    const double left =
        elapsed / static_cast<double>(step - first) * static_cast<double>(settings_.steps - step);
    json +=
        fmt::format(R"(,"lr":{:.6g},"grad_norm":{:.4g},"tokens_per_s":{:.0f},"seconds":{:.1f}}})",
                    report.lr, report.grad_norm, rate, elapsed);
    line += fmt::format(", lr {:.2e}, {:.0f} tokens/s, {} left", report.lr, rate, duration(left));
    log(json);
    say(line, validation);
    report_begin_ = Clock::now();
  }

  std::string snapshot_path(int64_t step) const {
    return fmt::format("{}/step-{:06}.gguf", options_.checkpoints, step);
  }

  // What was trained is worth more than what is said of it: the run goes on.
  void log(const std::string& line) {
    if (log_->line(line)) return;
    lost_ = true;
    say(options_.log +
        ": can no longer be written (is the disk full?); the run goes on without it");
  }

  void checkpoint() {
    const int64_t step = trainer_->state().step;
    const auto& steps = options_.checkpoint_steps;
    if (std::find(steps.begin(), steps.end(), step) == steps.end()) return;
    try {
      model::train::save_gguf(trainer_->state().weights.weights(), config_, snapshot_path(step),
                              model::DType::kF16);
    } catch (const Error& error) {
      lost_ = true;
      say(fmt::format("{}; the run goes on without this snapshot", error.what()));
    }
  }

  const TrainOptions& options_;
  model::Config config_;
  model::train::Settings settings_;
  std::optional<model::train::Corpus> corpus_;
  std::optional<model::train::Trainer> trainer_;
  std::optional<LossLog> log_;
  std::optional<model::train::Parameters> best_;
  double best_loss_ = std::numeric_limits<double>::infinity();
  double written_loss_ = std::numeric_limits<double>::infinity();  // of the model's file
  int64_t best_step_ = -1;
  int64_t validated_step_ = -1;
  bool gave_up_ = false;  // the last validation: a stop was asked for
  bool written_ = false;  // the model's file
  bool lost_ = false;     // the log or a snapshot, for want of room
  double sum_ = 0.0;      // of the losses since the last report
  int64_t count_ = 0;
  Clock::time_point begin_, report_begin_;
};

}  // namespace

int train(const TrainOptions& options) {
  return Run(options).go();
}

}  // namespace engine::commands
