#include "engine/commands/models.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

using engine::commands::models;
using engine::commands::ModelsOptions;
using nlohmann::json;

class ModelsCommand : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_.file(name), std::ios::binary) << bytes;
  }
  std::string output(bool as_json) {
    ModelsOptions options;
    options.folders = {};
    options.folders.working = folder_.file("");
    options.json = as_json;
    std::ostringstream out;
    EXPECT_EQ(0, models(options, out));
    return out.str();
  }
  tests::TempFolder folder_;
};

TEST_F(ModelsCommand, JsonHasARowForEveryModel) {
  const std::string good = tests::small_llama().build();
  write("good.gguf", good);
  write("other.gguf", tests::small_llama().string("general.architecture", "mamba").build());
  write("broken.gguf", good.substr(0, 1000));
  const json rows = json::parse(output(true));
  ASSERT_EQ(3U, rows.size());
  EXPECT_EQ("broken.gguf", rows[0]["name"]);
  EXPECT_FALSE(rows[0]["runnable"].get<bool>());
  EXPECT_CONTAINS(rows[0]["problems"][0].get<std::string>(), "truncated");
  EXPECT_EQ("good.gguf", rows[1]["name"]);
  EXPECT_TRUE(rows[1]["runnable"].get<bool>());
  EXPECT_EQ("llama", rows[1]["architecture"]);
  EXPECT_EQ(good.size(), rows[1]["bytes"]);
  // 2 V C is one tied embedding here: V C + C, and a layer's 2 C + 3 C C + 3 C F.
  EXPECT_EQ(256 * 16 + 16 + 2 * (2 * 16 + 3 * 16 * 16 + 3 * 16 * 24), rows[1]["parameters"]);
  EXPECT_EQ("mamba", rows[2]["architecture"]);
  EXPECT_CONTAINS(rows[2]["problems"][0].get<std::string>(), "mamba");
}

TEST_F(ModelsCommand, TheTableIsForAPerson) {
  write("good.gguf", tests::small_llama().build());
  write("x\x1B\n.gguf", "GGUF");
  const std::string table = output(false);
  EXPECT_CONTAINS(table, "architecture", "good.gguf", "llama", "8.0 k", "yes", "x\\x1B\\x0A.gguf",
                  "no: the file ends inside the version");
  EXPECT_EQ(3, std::count(table.begin(), table.end(), '\n'));
}

TEST_F(ModelsCommand, WithoutAModelItSaysWhereItLooked) {
  EXPECT_EQ("no models found in\n  the working folder\n", output(false));
  EXPECT_EQ("[]\n", output(true));
}

TEST_F(ModelsCommand, NamesThatAreNotUtf8KeepTheJsonValid) {
  write("\xFF.gguf", "");
  EXPECT_EQ("\xEF\xBF\xBD.gguf", json::parse(output(true))[0]["name"]);
}

}  // namespace
