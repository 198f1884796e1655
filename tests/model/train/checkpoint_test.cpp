#include "model/train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "model/error.h"
#include "model/format/gguf.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/corpus.h"
#include "model/train/random.h"

namespace model::train {
namespace {

namespace fs = std::filesystem;

Config shape() {
  Config c;
  c.name = "little";
  c.n_layer = 2;
  c.n_embd = 16;
  c.n_head = 2;
  c.n_head_kv = 1;
  c.head_dim = 8;
  c.rope_dim = 8;
  c.n_ff = 24;
  c.n_vocab = kByteVocabulary;
  c.n_ctx = 64;
  return c;
}

class Checkpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("fulgurite-checkpoint-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

std::vector<float> values(const Parameters& p) {
  return {p.data(), p.data() + p.size()};
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void expect_refusal(const std::function<void()>& f, const std::string& word) {
  try {
    f();
    ADD_FAILURE() << "accepted; expected a refusal with \"" << word << "\"";
  } catch (const fulgurite::Error& e) {
    EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
  }
}

TEST_F(Checkpoint, GgufHoldsTheWeights) {
  for (const bool tied : {true, false}) {
    Config config = shape();
    config.tied = tied;
    Parameters p(config);
    p.initialise(3);
    save_gguf(p.weights(), config, in_folder("m.gguf"), DType::kF32);
    const Parameters back = load_gguf(open_gguf(in_folder("m.gguf")));
    EXPECT_EQ(values(p), values(back));
    EXPECT_EQ(back.config().n_head_kv, 1);
    EXPECT_EQ(back.config().n_ctx, 64);
    EXPECT_EQ(back.config().name, "little");
    EXPECT_EQ(back.config().tied, tied);

    save_gguf(p.weights(), config, in_folder("h.gguf"), DType::kF16);
    const Parameters half = load_gguf(open_gguf(in_folder("h.gguf")));
    for (int64_t i = 0; i < p.size(); ++i) {
      ASSERT_NEAR(p.data()[i], half.data()[i], std::abs(p.data()[i]) / 1024.0F + 1e-7F);
    }
  }
}

TEST_F(Checkpoint, TokenIsByte) {
  Parameters p(shape());
  save_gguf(p.weights(), p.config(), in_folder("m.gguf"), DType::kF16);
  const ModelFile file = open_gguf(in_folder("m.gguf"));
  EXPECT_EQ(file.get_string("tokenizer.ggml.model"), "gpt2");
  const auto tokenizer = make_tokenizer(file);
  ASSERT_EQ(tokenizer->vocab_size(), 256);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (int32_t i = 0; i < 256; ++i) {
    EXPECT_EQ(tokenizer->piece(i), all.substr(static_cast<size_t>(i), 1));
  }
  const std::string text = "ROMEO:\n  O, speak again!\t it's 1597\n\n" + all;
  const std::vector<int32_t> ids = tokenizer->encode(text);
  ASSERT_EQ(ids.size(), text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    ASSERT_EQ(ids[i], static_cast<unsigned char>(text[i])) << i;
  }
}

RunState sample() {
  RunState state{.trainer = {.step = 17,
                             .weights = Parameters(shape()),
                             .moment1 = Parameters(shape()),
                             .moment2 = Parameters(shape())},
                 .seed = 5,
                 .muon = true,
                 .best_loss = 1.25,
                 .best_step = 16,
                 .best = Parameters(shape())};
  state.trainer.weights.initialise(1);
  state.trainer.moment1.initialise(2);
  state.trainer.moment2.initialise(3);
  state.best->initialise(4);
  return state;
}

TEST_F(Checkpoint, StateRoundTrip) {
  const RunState state = sample();
  const std::string path = in_folder("m.gguf.state");
  save_state(state, path);
  EXPECT_FALSE(fs::exists(path + ".part"));
  const RunState back = load_state(path, shape(), 5, true);
  EXPECT_EQ(back.trainer.step, 17);
  EXPECT_EQ(back.best_step, 16);
  EXPECT_EQ(back.best_loss, 1.25);
  EXPECT_EQ(values(back.trainer.weights), values(state.trainer.weights));
  EXPECT_EQ(values(back.trainer.moment1), values(state.trainer.moment1));
  EXPECT_EQ(values(back.trainer.moment2), values(state.trainer.moment2));
  ASSERT_TRUE(back.best.has_value());
  EXPECT_EQ(values(*back.best), values(*state.best));
}

TEST_F(Checkpoint, StateOfAnotherRunIsRefused) {
  const std::string path = in_folder("s");
  save_state(sample(), path);
  Config other = shape();
  other.n_ff = 32;
  expect_refusal([&] { load_state(path, other, 5, true); }, "--ffn 24, not 32");
  other = shape();
  other.n_ctx = 128;
  expect_refusal([&] { load_state(path, other, 5, true); }, "--ctx 64");
  expect_refusal([&] { load_state(path, shape(), 6, true); }, "--seed 5");
  expect_refusal([&] { load_state(path, shape(), 5, false); }, "was saved with --muon");
}

TEST_F(Checkpoint, DamagedStateIsRefused) {
  const std::string path = in_folder("s");
  save_state(sample(), path);
  const std::string whole = read(path);
  expect_refusal([&] { load_state(in_folder("none"), shape(), 5, true); }, "no such file");
  for (const size_t kept :
       {size_t{1}, size_t{7}, size_t{40}, size_t{119}, whole.size() / 2, whole.size() - 1}) {
    write(path, whole.substr(0, kept));
    expect_refusal([&] { load_state(path, shape(), 5, true); }, path);
  }
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  write(path, flipped);
  expect_refusal([&] { load_state(path, shape(), 5, true); }, "checksum");
  std::string newer = whole;
  newer[8] = 9;
  write(path, newer);
  expect_refusal([&] { load_state(path, shape(), 5, true); }, "version 9");
  write(path, whole + "x");
  expect_refusal([&] { load_state(path, shape(), 5, true); }, "damaged");
}

// No later loss would be better than that.
TEST_F(Checkpoint, ABestLossThatIsNoNumberIsRefused) {
  RunState state = sample();
  state.best_loss = NAN;
  save_state(state, in_folder("s"));
  expect_refusal([&] { load_state(in_folder("s"), shape(), 5, true); },
                 "its best loss is no number");
}

TEST_F(Checkpoint, APipeIsNoState) {
  ASSERT_EQ(0, mkfifo(in_folder("s").c_str(), 0600));
  expect_refusal([&] { load_state(in_folder("s"), shape(), 5, true); }, "is no regular file");
}

TEST_F(Checkpoint, UnwritablePathsAreFoundBeforehand) {
  expect_refusal([&] { check_writable(in_folder("no-such-folder/m.gguf")); }, "folder");
  expect_refusal([&] { check_writable(folder_.string()); }, "directory");
  expect_refusal([&] { check_writable(""); }, "-o");
  check_writable(in_folder("fine.gguf"));
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Checkpoint, CorpusSplitsAndRefuses) {
  std::string text;
  for (int i = 0; i < 1005; ++i) text += static_cast<char>(i % 256);
  write(in_folder("t"), text);
  const Corpus corpus(in_folder("t"), 32);
  EXPECT_EQ(corpus.training().size(), 904u);
  EXPECT_EQ(corpus.validation().size(), 101u);
  EXPECT_EQ(corpus.training()[200], 200);
  EXPECT_EQ(corpus.validation()[0], 904 % 256);
  expect_refusal([&] { Corpus(in_folder("t"), 101); }, "too few");
  expect_refusal([&] { Corpus(folder_.string(), 8); }, "directory");
  expect_refusal([&] { Corpus(in_folder("none"), 8); }, "no such file");
  write(in_folder("e"), "");
  expect_refusal([&] { Corpus(in_folder("e"), 8); }, "empty");
}

}  // namespace
}  // namespace model::train
