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

// 50,000 tensors as safetensors describes them: far more than any published file has.
TEST(Json, AHeaderOfManyTensorsIsRead) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  for (int i = 0; i < 50000; ++i) {
    header += ",\"model.layers.1.mlp.experts." + std::to_string(i) +
              ".gate_proj.weight\":{\"dtype\":\"BF16\",\"shape\":[768,2048],\"data_offsets\":[" +
              std::to_string(1000000 + i) + "," + std::to_string(1000001 + i) + "]}";
  }
  EXPECT_EQ(50001U, parse_json(header + "}", "file.json").size());
}

}  // namespace
