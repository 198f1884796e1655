#include "engine/commands/inspect_trace.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "engine/trace/file.h"
#include "engine/trace/muted.h"
#include "model/error.h"
#include "tests/support/conversation.h"

namespace {

using engine::commands::inspect_trace;
using nlohmann::json;
using tests::Conversation;

class InspectTrace : public ::testing::Test {
 protected:
  // Two conversations, the second without a head.
  std::string record() {
    Conversation talk(tests::builtin_model_path());
    trace::FileWriter file(talk.log, path_);
    engine::Sampling sampling;
    sampling.seed = 3;
    sampling.min_p = 0.05F;
    talk.run("ROMEO:", 3, sampling);
    sampling.seed = 4;
    std::vector<int32_t> ids(talk.session.tokens());
    ids.push_back(ids[2]);
    talk.session.start(ids, 2, sampling, true);
    while (!talk.session.finished()) talk.session.step();
    talk.reader.poll();
    first_steps_ = talk.reader.steps();
    first_positions_ = talk.reader.positions();
    file.drain();
    engine::Generate second{"But soft", 4, tests::kGreedy};
    second.muted = {*trace::find_part("L2.H1")};
    talk.session.start(second);
    while (!talk.session.finished()) talk.session.step();
    talk.reader.poll();
    for (size_t p = 0; p < talk.reader.positions(); ++p)
      said_ += talk.reader.position(p).token.text;
    file.finish();
    return path_;
  }
  static std::string told(const std::string& path, bool as_json) {
    std::ostringstream out;
    EXPECT_EQ(0, inspect_trace(path, as_json, out));
    return out.str();
  }

  tests::TempFolder folder_;
  std::string path_ = folder_.file("t.mcap");
  std::string said_;  // in the second
  size_t first_steps_ = 0, first_positions_ = 0;
};

TEST_F(InspectTrace, TellsWhoWroteItOfWhichModelAndWhatWasSaid) {
  const json d = json::parse(told(record(), true));
  EXPECT_EQ(d["bytes"], std::filesystem::file_size(path_));
  EXPECT_TRUE(d["written_by"].get<std::string>().starts_with("fulgurite "));
  EXPECT_TRUE(d["complete"]);
  EXPECT_FALSE(d["damaged"]);
  EXPECT_EQ(d["model"]["layers"], 6);
  EXPECT_EQ(d["model"]["heads"], 4);
  ASSERT_EQ(d["conversations"].size(), 2U);

  const json& first = d["conversations"][0];
  ASSERT_EQ(first["settings"].size(), 2U) << "it went on with another seed";
  EXPECT_EQ(first["settings"][0]["from_step"], 0);
  EXPECT_GT(first["settings"][1]["from_step"], 0);
  EXPECT_EQ(first["settings"][1]["sampler"]["seed"], 4);
  EXPECT_EQ(first["settings"][0]["level"], "live");
  EXPECT_EQ(first["settings"][0]["sampler"]["seed"], 3);
  EXPECT_EQ(first["settings"][0]["sampler"]["min-p"], 0.05);
  EXPECT_TRUE(first["muted"].empty());
  EXPECT_EQ(first["steps"], first_steps_);
  EXPECT_EQ(first["prompt_tokens"].get<size_t>() + first["generated_tokens"].get<size_t>(),
            first_positions_);
  EXPECT_TRUE(first["text"].get<std::string>().starts_with("ROMEO:"));

  const json& second = d["conversations"][1];
  EXPECT_EQ(second["muted"], json({"L2.H1"}));
  EXPECT_EQ(second["generated_tokens"], 4);
  EXPECT_EQ(second["text"], said_);

  const json& tokens = d["records"]["token"];
  EXPECT_GE(tokens["messages"].get<size_t>(), first_positions_ + 4);
  EXPECT_EQ(d["records"]["ffn"]["messages"], tokens["messages"]) << "a record a position";
}

TEST_F(InspectTrace, TellsTheSameToAPersonOnOneLineEach) {
  const std::string table = told(record(), false);
  for (const char* line : {"complete          yes", "layers            6", "conversation 2",
                           "muted             L2.H1", "generated tokens  4"})
    EXPECT_NE(table.find(line), std::string::npos) << line;
}

TEST_F(InspectTrace, OfOneThatWasCutOffItTellsWhatIsThere) {
  record();
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) * 2 / 3);
  const json d = json::parse(told(path_, true));
  EXPECT_FALSE(d["complete"]);
  EXPECT_EQ(d["model"]["layers"], 6);
  EXPECT_GE(d["conversations"].size(), 1U);
}

TEST_F(InspectTrace, RefusesWhatIsNone) {
  EXPECT_THROW(told(tests::builtin_model_path(), true), fulgurite::Error);
  EXPECT_THROW(told(folder_.file("absent.mcap"), true), fulgurite::Error);
}

}  // namespace
