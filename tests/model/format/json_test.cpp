#include "model/format/json.h"

#include <gtest/gtest.h>

#include "model/error.h"
#include "tests/support/data.h"

namespace {

using model::parse_json;

std::string refusal(const std::string& text) {
  try {
    parse_json(text, "file.json");
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
    return error.what();
  }
  return "(accepted)";
}

std::string many(const std::string& one, int n) {
  std::string list = "[" + one;
  for (int i = 1; i < n; ++i) list += "," + one;
  return list + "]";
}

TEST(Json, TextsThatWouldGrowWithoutMeasureAreRefused) {
  EXPECT_EQ("(accepted)", refusal(many("0", 300000)));
  EXPECT_EQ("(accepted)", refusal(many("[]", 100000)));
  for (const char* one : {"0", "[]", "{}", "\"\"", "[0]", "{\"a\":0}"}) {
    EXPECT_CONTAINS(refusal(many(one, 3000000)), "file.json: ", "more memory than its text");
  }
}

TEST(Json, NothingIsLongerThanAMegabyte) {
  const std::string most(1 << 20, 'x');
  EXPECT_EQ("(accepted)", refusal("{\"" + most.substr(1) + "\":0}"));
  for (const std::string& text :
       {"[0,\"" + most + "\"]", "[0,\"" + most + "x", "[" + most + "]", "[\"\\\"" + most + "\"]",
        "[0," + std::string(most.size() + 1, '0')}) {
    EXPECT_CONTAINS(refusal(text), "more than 1 MB without a break at byte ");
  }
  EXPECT_EQ("(accepted)", refusal("[\"" + most.substr(9) + "\", \"" + most.substr(9) + "\"]"));
}

TEST(Json, NulIsNoEnd) {
  using std::string_literals::operator""s;
  for (const std::string& text : {"{}\0"s, "{}\0x"s, "\0"s, "[0,\0 1]"s, "[\"a\0b\"]"s}) {
    EXPECT_CONTAINS(refusal(text), "not valid JSON at byte " + std::to_string(text.find('\0')));
  }
}

// What a reader is told, in one line.
class Told final : public model::JsonReader {
 public:
  Told() : JsonReader("file.json") {}
  void on_key(std::string key) override { text += key + "="; }
  void on_value(model::Json value) override {
    text += value.dump() + std::to_string(depth()) + " ";
  }
  void on_begin(bool array) override {
    text += (array ? "[" : "{") + std::to_string(depth()) + " ";
  }
  void on_end() override { text += "]" + std::to_string(depth()) + " "; }
  std::string text;
};

TEST(Json, AReaderIsToldTheTextInItsOrderWithTheDepth) {
  Told told;
  model::read_json(R"({"b": [1, {"a": null}], "b": -2.5, "c": "x"})", told);
  EXPECT_EQ(R"({0 b=[1 12 {2 a=null3 ]2 ]1 b=-2.51 c="x"1 ]0 )", told.text);
}

TEST(Json, ABuilderIsCompleteWhenItsDocumentIs) {
  model::JsonBuilder builder("file.json", 1000);
  EXPECT_FALSE(builder.complete());
  builder.on_begin(true);
  builder.on_value(1);
  EXPECT_FALSE(builder.complete());
  builder.on_end();
  EXPECT_TRUE(builder.complete());
  EXPECT_EQ(model::Json::array({1}), builder.take());
}

}  // namespace
