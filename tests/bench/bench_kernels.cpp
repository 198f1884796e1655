// How fast the products are, beside what the memory can deliver in the same run:
//   bench-kernels [--benchmark_filter=Q8_0]
// read:         the bandwidth of a plain sum over a large (DRAM) or small (L3) buffer
// matvec/TYPE:  one position; GB/s of weights
// matmul/TYPE:  128 positions; GFLOP/s (two operations a weight and position)
// matmul-live:  the same, gathering what the live level wants of W_down
// gather/TYPE:  one position, as the live (W_O, W_down) and the full level want it
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/kernels/matmul.h"

namespace {

using model::DType;
using model::ThreadPool;

constexpr int64_t kDram = int64_t{640} << 20;  // bytes: more than an L3 keeps
constexpr int64_t kL3 = int64_t{24} << 20;

ThreadPool& pool_of(int64_t threads) {
  static std::vector<std::unique_ptr<ThreadPool>> pools(65);
  auto& pool = pools[static_cast<size_t>(threads)];
  if (!pool) pool = std::make_unique<ThreadPool>(static_cast<int>(threads));
  return *pool;
}

const std::vector<std::byte>& memory() {
  static const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> b(kDram);
    std::mt19937_64 random(1);
    for (size_t i = 0; i < b.size(); i += 8) {
      // No NaN and nothing subnormal in any format that holds floats.
      const uint64_t value = (random() & 0x3BFF3BFF3BFF3BFFU) | 0x2020202020202020U;
      std::memcpy(&b[i], &value, 8);
    }
    return b;
  }();
  return bytes;
}

void sum_up(benchmark::State& state, int64_t size) {
  ThreadPool& pool = pool_of(state.range(0));
  const auto* words = reinterpret_cast<const uint64_t*>(memory().data());
  for (auto step : state) {
    std::vector<uint64_t> sums(static_cast<size_t>(pool.size()) * 8);
    pool.run([&](int thread) {
      const auto [first, last] = ThreadPool::share(size / 64, thread, pool.size());
      uint64_t sum[8] = {};
      for (int64_t i = first; i < last; ++i) {
        __builtin_prefetch(words + 8 * i + 256);
        for (int k = 0; k < 8; ++k) sum[k] += words[8 * i + k];
      }
      for (int k = 0; k < 8; ++k) sums[static_cast<size_t>(8 * thread)] += sum[k];
    });
    benchmark::DoNotOptimize(sums.data());
  }
  state.SetBytesProcessed(state.iterations() * size);
}

// Matrices of one shape that fill `size` bytes, one after the other.
struct Matrices {
  Matrices(DType type, int64_t rows, int64_t cols, int64_t size) {
    linear.weight.dtype = type;
    linear.weight.ne = {cols, rows, 1, 1};
    bytes = static_cast<int64_t>(linear.weight.bytes());
    count = std::max<int64_t>(1, size / bytes);
  }
  const model::Linear& at(int64_t i) {
    linear.weight.data = memory().data() + i * bytes;
    return linear;
  }
  model::Linear linear;
  int64_t bytes = 0;
  int64_t count = 0;
};

void matvec(benchmark::State& state, DType type, int64_t size) {
  ThreadPool& pool = pool_of(state.range(0));
  Matrices matrices(type, 2048, 2048, size);
  const std::vector<float> values(2048, 0.5F);
  std::vector<float> y(2048);
  model::Input x;
  for (auto step : state) {
    for (int64_t i = 0; i < matrices.count; ++i) {
      x.set(values.data(), 1, 2048, 2048, model::rounds_input(type), pool);
      model::matmul(matrices.at(i), x, y.data(), 2048, nullptr, pool);
    }
  }
  state.SetBytesProcessed(state.iterations() * matrices.count * matrices.bytes);
}

void matmul(benchmark::State& state, DType type, bool live) {
  ThreadPool& pool = pool_of(state.range(0));
  constexpr int64_t kPositions = 128;
  Matrices matrices(type, 2048, 2048, kL3);
  const std::vector<float> values(static_cast<size_t>(2048 * kPositions), 0.5F);
  std::vector<float> y(values.size());
  model::Input x;
  std::vector<float> dots(static_cast<size_t>(kPositions * 80));
  const std::vector<int32_t> chosen = {3,   70,  200,  301,  404,  555,  600,  777,
                                       800, 999, 1100, 1234, 1500, 1700, 1999, 2047};
  std::vector<model::Gather> gathers(static_cast<size_t>(kPositions));
  for (size_t k = 0; k < gathers.size(); ++k) {
    gathers[k].group_width = 32;
    gathers[k].group_dot = &dots[k * 80];
    gathers[k].chosen = chosen.data();
    gathers[k].n_chosen = 16;
    gathers[k].chosen_dot = &dots[k * 80 + 64];
  }
  int64_t i = 0;
  for (auto step : state) {
    x.set(values.data(), kPositions, 2048, 2048, model::rounds_input(type), pool);
    model::matmul(matrices.at(i++ % matrices.count), x, y.data(), 2048,
                  live ? gathers.data() : nullptr, pool);
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 2e-9 * 2048 * 2048 * kPositions,
                         benchmark::Counter::kIsRate);
}

enum class Kind { kNone, kHeads, kHeadsBack, kNeurons, kNeuronsBack };

// (2048, 2048) in heads of 64, or (2048, 5632) in 32 neurons at a time with 16 chosen ones.
void gather(benchmark::State& state, DType type, Kind kind, bool neurons) {
  ThreadPool& pool = pool_of(state.range(0));
  const int64_t cols = neurons ? 5632 : 2048;
  Matrices matrices(type, 2048, cols, kDram);
  const std::vector<float> values(static_cast<size_t>(cols), 0.5F);
  std::vector<float> y(2048);
  std::vector<float> dot(256);
  std::vector<float> back(static_cast<size_t>(cols));
  std::vector<float> chosen_dot(16);
  std::vector<int32_t> chosen;
  for (int32_t k = 0; k < 16; ++k) chosen.push_back(k * 350 + 7);
  model::Gather g;
  g.group_width = neurons ? 32 : 64;
  g.group_dot = dot.data();
  if (kind == Kind::kNeurons) {
    g.chosen = chosen.data();
    g.n_chosen = 16;
    g.chosen_dot = chosen_dot.data();
  }
  if (kind == Kind::kHeads || kind == Kind::kHeadsBack || kind == Kind::kNeuronsBack) {
    g.back = back.data();
    g.group_back = !neurons;
  }
  model::Input x;
  for (auto step : state) {
    for (int64_t i = 0; i < matrices.count; ++i) {
      x.set(values.data(), 1, cols, cols, model::rounds_input(type), pool);
      model::matmul(matrices.at(i), x, y.data(), 2048, kind == Kind::kNone ? nullptr : &g, pool);
    }
  }
  state.SetBytesProcessed(state.iterations() * matrices.count * matrices.bytes);
}

void empty_run(benchmark::State& state) {
  ThreadPool& pool = pool_of(state.range(0));
  const std::function<void(int)> nothing = [](int) {};
  for (auto step : state) pool.run(nothing);
}

template <class Run, class... Args>
void add(const std::string& name, Run* run, Args... args) {
  auto* b = benchmark::RegisterBenchmark(name.c_str(), run, args...);
  b->Arg(1)->Arg(2)->ArgName("threads")->UseRealTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  memory();  // filled before anything is timed
  add("pool/empty", empty_run);
  add("read/dram", sum_up, kDram);
  add("read/l3", sum_up, kL3);
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
        DType::kQ5_0, DType::kQ5_1, DType::kQ2K, DType::kQ3K, DType::kQ4K, DType::kQ5K, DType::kQ6K,
        DType::kIq4Nl, DType::kIq4Xs, DType::kMxfp4}) {
    const std::string name = model::dtype_name(type);
    add("matvec/dram/" + name, matvec, type, kDram);
    add("matvec/l3/" + name, matvec, type, kL3);
    add("matmul/" + name, matmul, type, false);
    add("matmul-live/" + name, matmul, type, true);
  }
  for (const DType type : {DType::kQ8_0, DType::kQ4_0, DType::kQ4K, DType::kQ6K, DType::kF16}) {
    const std::string name = "gather/" + model::dtype_name(type);
    add(name + "/heads/none", gather, type, Kind::kNone, false);
    add(name + "/heads/live", gather, type, Kind::kHeads, false);
    add(name + "/neurons/none", gather, type, Kind::kNone, true);
    add(name + "/neurons/live", gather, type, Kind::kNeurons, true);
    add(name + "/neurons/full", gather, type, Kind::kNeuronsBack, true);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
