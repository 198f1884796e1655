#include "model/train/trainer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "model/error.h"
#include "model/kernels/train_ops.h"
#include "model/train/muon.h"
#include "model/train/random.h"

namespace model::train {
namespace {

// Positions that one thread pushes through the layers at once: enough for the matrix products to
// run at full speed, few enough for a layer's activations to stay in the cache.
constexpr int64_t kGroupRows = 256;

int64_t group_sequences(int64_t length) {
  return std::max<int64_t>(1, kGroupRows / length);
}

void require(bool good, const char* flag, const std::string& what) {
  if (!good) throw fulgurite::Error(fulgurite::ExitCode::kUsage, what, flag);
}

}  // namespace

double trainer_bytes(const Config& c, const Settings& s) noexcept {
  const double per_layer = 2.0 * static_cast<double>(c.n_embd) * static_cast<double>(c.n_embd) +
                           2.0 * static_cast<double>(c.n_embd) * static_cast<double>(c.n_embd) *
                               static_cast<double>(c.n_head_kv) / static_cast<double>(c.n_head) +
                           3.0 * static_cast<double>(c.n_embd) * static_cast<double>(c.n_ff);
  const double parameters =
      static_cast<double>(c.n_layer) * per_layer +
      (c.tied ? 1.0 : 2.0) * static_cast<double>(c.n_vocab) * static_cast<double>(c.n_embd);
  const double rows = static_cast<double>(std::max(kGroupRows, s.length));
  const double wide = static_cast<double>(8 * c.n_embd) + static_cast<double>(3 * c.n_ff) +
                      static_cast<double>(c.n_head) * static_cast<double>(s.length);
  const double workspace =
      rows * (static_cast<double>(c.n_layer) * wide + static_cast<double>(c.n_vocab));
  // Weights, two moments, the best, and all four once more while the state is written.
  return 4.0 * ((8.0 + s.threads) * parameters + static_cast<double>(s.threads) * workspace +
                2.0 * static_cast<double>(s.batch) * static_cast<double>(s.length));
}

void check_settings(Config& c, const Settings& s, uint64_t max_bytes) {
  const auto between = [](int64_t x, int64_t lo, int64_t hi) { return x >= lo && x <= hi; };
  require(between(c.n_layer, 1, 1024), "--layers", "must lie between 1 and 1024");
  require(between(c.n_embd, 2, 65536), "--dim", "must lie between 2 and 65536");
  require(between(c.n_head, 1, 1024), "--heads", "must lie between 1 and 1024");
  require(between(c.n_head_kv, 1, c.n_head) && c.n_head % c.n_head_kv == 0, "--kv-heads",
          std::to_string(c.n_head_kv) + " must divide --heads " + std::to_string(c.n_head));
  require(c.n_embd % c.n_head == 0, "--heads",
          std::to_string(c.n_head) + " must divide --dim " + std::to_string(c.n_embd));
  if (c.head_dim == 0) c.head_dim = c.n_embd / c.n_head;
  if (c.rope_dim == 0) c.rope_dim = c.head_dim;
  require(c.head_dim % 2 == 0, "--heads", "leave heads of odd width, rotary positions need pairs");
  require(between(c.n_ff, 1, 1 << 20), "--ffn", "must lie between 1 and 1048576");
  require(between(c.n_vocab, 2, 1 << 20), "vocabulary", "must lie between 2 and 1048576");
  require(between(c.n_ctx, 2, 1 << 17), "--ctx", "must lie between 2 and 131072");
  require(between(s.length, 1, c.n_ctx), "--ctx", "is shorter than the training windows");
  require(between(s.batch, 1, 1 << 16), "--batch", "must lie between 1 and 65536");
  require(between(s.steps, 0, 1'000'000'000), "--steps", "must lie between 0 and 10^9");
  require(between(s.warmup, 0, 1'000'000'000), "--warmup", "must lie between 0 and 10^9");
  require(between(s.full_every, 1, 1'000'000), "--full-every", "must lie between 1 and 10^6");
  require(s.lr > 0.0F && s.lr <= 1.0F, "--lr", "must be above 0, at most 1");
  require(s.min_lr >= 0.0F && s.min_lr <= s.lr, "--min-lr", "must lie between 0 and --lr");
  require(s.beta1 >= 0.0F && s.beta1 < 1.0F, "--beta1", "must be at least 0, below 1");
  require(s.beta2 >= 0.0F && s.beta2 < 1.0F, "--beta2", "must be at least 0, below 1");
  require(s.momentum >= 0.0F && s.momentum < 1.0F, "--momentum", "must be at least 0, below 1");
  require(s.weight_decay >= 0.0F && s.weight_decay <= 10.0F, "--weight-decay",
          "must lie between 0 and 10");
  require(s.clip >= 0.0F && std::isfinite(s.clip), "--clip", "must be 0 or more");
  require(s.dropout >= 0.0F && s.dropout < 0.95F, "--dropout", "must be at least 0, below 0.95");
  require(between(s.threads, 1, 256), "--threads", "must lie between 1 and 256");
  const double bytes = trainer_bytes(c, s);
  require(bytes <= static_cast<double>(max_bytes), "--dim, --layers, --ctx",
          "training would take about " + std::to_string(static_cast<int64_t>(bytes / 1e6)) +
              " MB, more than the " + std::to_string(max_bytes / 1000000) +
              " MB that it may take of this machine's: lower one of these, or --batch");
}

float learning_rate(const Settings& s, int64_t step) noexcept {
  if (step < s.warmup) {
    return s.lr * static_cast<float>(step + 1) / static_cast<float>(s.warmup);
  }
  const double span = static_cast<double>(std::max<int64_t>(1, s.steps - s.warmup));
  const double done = std::min(1.0, static_cast<double>(step - s.warmup) / span);
  const double high = static_cast<double>(s.lr);
  const double low = static_cast<double>(s.min_lr);
  return static_cast<float>(low + 0.5 * (high - low) * (1.0 + std::cos(std::numbers::pi * done)));
}

std::vector<Transformer> make_workspaces(const Config& config, int64_t window, int threads) {
  std::vector<Transformer> workspaces;
  workspaces.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    workspaces.emplace_back(config, std::max(kGroupRows, window), window);
  }
  return workspaces;
}

Evaluation evaluate(const Weights& weights, std::span<const int32_t> tokens, int64_t window,
                    ThreadPool& pool, std::vector<Transformer>& workspaces,
                    const std::function<bool()>& stop) {
  CHECK(window > 0 && static_cast<int>(workspaces.size()) == pool.size());
  const int64_t windows = tokens.empty() ? 0 : (static_cast<int64_t>(tokens.size()) - 1) / window;
  const int64_t group = group_sequences(window);
  const int64_t groups = (windows + group - 1) / group;
  // A sum per group, added up in order: the same for any number of threads.
  std::vector<double> sums(static_cast<size_t>(groups));
  std::atomic<bool> stopped{false};
  pool.run([&](int thread) {
    const auto [first, last] = ThreadPool::share(groups, thread, pool.size());
    for (int64_t g = first; g < last && !stopped; ++g) {
      if (stop && stop()) stopped = true;
      const Batch batch = {.tokens = tokens.data() + g * group * window,
                           .targets = tokens.data() + g * group * window + 1,
                           .sequences = std::min(group, windows - g * group),
                           .length = window};
      sums[static_cast<size_t>(g)] =
          workspaces[static_cast<size_t>(thread)].forward(weights, batch, {}, 0.0F);
    }
  });
  Evaluation result;
  if (stopped) return result;
  result.tokens = windows * window;
  for (const double sum : sums) result.loss += sum;
  if (result.tokens > 0) result.loss /= static_cast<double>(result.tokens);
  return result;
}

Trainer::Trainer(const Config& config, const Settings& settings, std::span<const int32_t> tokens)
    : settings_(settings),
      tokens_(tokens),
      state_{.step = 0,
             .weights = Parameters(config),
             .moment1 = Parameters(config),
             .moment2 = Parameters(config)},
      pool_(settings.threads),
      workspaces_(make_workspaces(config, settings.length, settings.threads)) {
  CHECK(static_cast<int64_t>(tokens.size()) > settings.length);
  const size_t threads = static_cast<size_t>(settings.threads);
  state_.weights.initialise(settings.seed);
  gradients_.assign(threads, Parameters(config));
  partial_.resize(threads);
  scratch_.resize(threads);
  inputs_.resize(static_cast<size_t>(settings.batch * settings.length));
  targets_.resize(inputs_.size());
  const float* begin = state_.weights.data();
  Weights weights = state_.weights.weights();
  for_each_tensor(
      weights, config,
      [&](const Matrix& tensor, const std::string& name, int64_t rows, int64_t cols) {
        pieces_.push_back({.at = tensor.data - begin,
                           .rows = rows,
                           .cols = cols,
                           .decays = rows > 1,
                           .muon = settings.muon && name.starts_with("blk.") && rows > 1});
      });
}

void Trainer::set_state(State state) {
  CHECK(state.weights.size() == state_.weights.size() &&
        state.moment1.size() == state_.weights.size() &&
        state.moment2.size() == state_.weights.size());
  state_ = std::move(state);
}

void Trainer::draw_batch() {
  const int64_t every = settings_.full_every;
  const bool half = every > 1 && state_.step % every != every - 1 && settings_.length % 2 == 0;
  sequences_ = half ? settings_.batch * 2 : settings_.batch;
  length_ = half ? settings_.length / 2 : settings_.length;
  const int64_t t = length_;
  const uint64_t key =
      mix(settings_.seed ^ 0x77696E646F777321U, static_cast<uint64_t>(state_.step));
  const uint64_t starts = tokens_.size() - static_cast<size_t>(t);
  for (int64_t b = 0; b < sequences_; ++b) {
    const auto from = static_cast<int64_t>(below(mix(key, static_cast<uint64_t>(b)), starts));
    std::copy_n(tokens_.begin() + from, t, inputs_.begin() + b * t);
    std::copy_n(tokens_.begin() + from + 1, t, targets_.begin() + b * t);
  }
}

void Trainer::gradients_of_share(int thread) {
  const auto i = static_cast<size_t>(thread);
  const int64_t t = length_;
  const int64_t group = group_sequences(t);
  const auto [first, last] = ThreadPool::share(sequences_, thread, pool_.size());
  const float scale = 1.0F / static_cast<float>(sequences_ * t);
  gradients_[i].zero();
  partial_[i] = 0.0;
  for (int64_t s = first; s < last; s += group) {
    const Batch batch = {.tokens = inputs_.data() + s * t,
                         .targets = targets_.data() + s * t,
                         .sequences = std::min(group, last - s),
                         .length = t};
    const DropoutRate dropout = {
        .rate = settings_.dropout,
        .key = mix(settings_.seed ^ 0x64726F706F757421U, static_cast<uint64_t>(state_.step)),
        .first_row = s * t};
    partial_[i] += workspaces_[i].forward(state_.weights.weights(), batch, dropout, scale);
    workspaces_[i].backward(state_.weights.weights(), gradients_[i].weights());
  }
}

// AdamW's tensors are split by elements; a matrix of Muon belongs to the thread in whose share
// its middle lies.
void Trainer::update_share(int thread, const AdamW& step) {
  const auto [first, last] = ThreadPool::share(state_.weights.size(), thread, pool_.size());
  float* w = state_.weights.data();
  float* g = gradients_[0].data();
  float* m = state_.moment1.data();
  for (const Piece& piece : pieces_) {
    AdamW mine = step;
    mine.weight_decay = piece.decays ? settings_.weight_decay : 0.0F;
    const int64_t end = piece.at + piece.rows * piece.cols;
    if (piece.muon) {
      const int64_t middle = (piece.at + end) / 2;
      if (middle < first || middle >= last) continue;
      muon(w + piece.at, g + piece.at, m + piece.at, piece.rows, piece.cols, step.lr,
           settings_.momentum, mine.weight_decay, step.grad_scale,
           scratch_[static_cast<size_t>(thread)]);
      continue;
    }
    const int64_t from = std::max(first, piece.at);
    const int64_t to = std::min(last, end);
    if (from >= to) continue;
    train_ops().adamw(w + from, g + from, m + from, state_.moment2.data() + from, to - from, mine);
  }
}

Trainer::StepReport Trainer::step() {
  const TrainOps& ops = train_ops();
  StepReport report;
  draw_batch();
  pool_.run([this](int thread) { gradients_of_share(thread); });
  for (const double sum : partial_) report.loss += sum;
  report.loss /= static_cast<double>(settings_.batch * settings_.length);

  const int64_t size = state_.weights.size();
  pool_.run([&](int thread) {
    const auto [first, last] = ThreadPool::share(size, thread, pool_.size());
    float* sum = gradients_[0].data() + first;
    for (size_t i = 1; i < gradients_.size(); ++i) {
      ops.add(sum, gradients_[i].data() + first, last - first);
    }
    partial_[static_cast<size_t>(thread)] = ops.sum_squares(sum, last - first);
  });
  double squares = 0.0;
  for (const double part : partial_) squares += part;
  report.grad_norm = static_cast<float>(std::sqrt(squares));
  report.lr = learning_rate(settings_, state_.step);

  AdamW update = {};
  update.lr = report.lr;
  update.beta1 = settings_.beta1;
  update.beta2 = settings_.beta2;
  update.epsilon = settings_.epsilon;
  const double n = static_cast<double>(state_.step + 1);
  update.correct1 =
      static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(settings_.beta1), n)));
  update.correct2 =
      static_cast<float>(1.0 / (1.0 - std::pow(static_cast<double>(settings_.beta2), n)));
  update.grad_scale = settings_.clip > 0.0F && report.grad_norm > settings_.clip
                          ? settings_.clip / report.grad_norm
                          : 1.0F;
  pool_.run([&](int thread) { update_share(thread, update); });
  ++state_.step;
  return report;
}

Evaluation Trainer::evaluate(std::span<const int32_t> tokens, int64_t window,
                             const std::function<bool()>& stop) {
  if (window <= settings_.length) {
    return train::evaluate(state_.weights.weights(), tokens, window, pool_, workspaces_, stop);
  }
  std::vector<Transformer> larger = make_workspaces(config(), window, pool_.size());
  return train::evaluate(state_.weights.weights(), tokens, window, pool_, larger, stop);
}

}  // namespace model::train
