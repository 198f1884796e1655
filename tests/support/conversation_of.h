// A conversation on the model that a test is given by name: llama-gqa, or a synthetic one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "tests/support/conversation.h"

namespace tests {

class ConversationOf : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() != "llama-gqa") REQUIRE_SHARED_DATA();
    talk_ = std::make_unique<Conversation>(path());
    talk_->run("Once upon a time", 5);
  }
  static std::string path() {
    return GetParam() == "llama-gqa" ? gqa_model_path()
                                     : shared_data("models/synth/" + GetParam() + ".gguf").string();
  }

  std::unique_ptr<Conversation> talk_;
};

// A model's name as tests may be called.
inline std::string test_name(const ::testing::TestParamInfo<std::string>& one) {
  std::string name = one.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace tests
