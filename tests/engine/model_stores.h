// A home with one of every store, for the tests of finding models and of naming them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/model_name.h"
#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace tests {

namespace fs = std::filesystem;

inline const std::string kDigest(64, 'a');

inline void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string manifest(const std::string& digest) {
  return R"({"schemaVersion": 2, "layers": [
    {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:bb"},
    {"mediaType": "application/vnd.ollama.image.model", "digest": ")" +
         digest + R"(", "size": 1}]})";
}

class ModelStores : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string gguf = small_llama().build();
    folders.hugging_face = {root / "hub"};
    folders.ollama = {root / "ollama"};
    folders.lm_studio = {root / "lmstudio"};
    folders.working = root / "here";

    const fs::path repo = root / "hub/models--Org--Tiny-Llama";
    write(repo / "blobs/cafe", gguf);
    write(repo / "refs/main", "0123abcd\n");
    write(repo / "snapshots/ffff/old.gguf", gguf);
    fs::create_directories(repo / "snapshots/0123abcd/big");
    fs::create_symlink("../../blobs/cafe", repo / "snapshots/0123abcd/m-Q4_K.gguf");
    fs::create_symlink("../../blobs/cafe", repo / "snapshots/0123abcd/m-Q8_0.gguf");
    write(repo / "snapshots/0123abcd/big/m-00001-of-00002.gguf", gguf);
    write(repo / "snapshots/0123abcd/big/m-00002-of-00002.gguf", gguf);
    write(root / "hub/models--gpt2/snapshots/1/config.json", "{}");
    write(root / "hub/models--gpt2/snapshots/1/model.safetensors", "");
    write(root / "hub/datasets--Org--Text/snapshots/1/x.gguf", gguf);

    write(root / "ollama/blobs/sha256-" / "", "");
    write(root / "ollama/blobs" / ("sha256-" + kDigest), gguf);
    tag("registry.ollama.ai/library/llama3/latest", manifest("sha256:" + kDigest));
    tag("registry.ollama.ai/library/llama3/8b", manifest("sha256:" + kDigest));
    tag("registry.ollama.ai/someone/own/v1", manifest("sha256:" + kDigest));
    tag("hf.co/Org/Repo/Q4_K_M", manifest("sha256:" + kDigest));

    write(root / "lmstudio/pub/Model-GGUF/model.Q8_0.gguf", gguf);
    write(root / "here/a.gguf", gguf);
    write(root / "here/notes.txt", "no model");
    write(root / "here/folder/config.json", "{}");
    write(root / "here/folder/model.safetensors", "");
    write(root / "here/.docker/config.json", R"({"auths": {}})");
    write(root / "here/models/b.gguf", gguf);
    write(root / "here/models/deep/c.gguf", gguf);
  }
  void tag(const std::string& name, const std::string& text) {
    write(root / "ollama/manifests" / name, text);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const engine::FoundModel& m : engine::find_models(folders)) all.push_back(m.name);
    return all;
  }
  std::string resolve(const std::string& name) const {
    return fs::path(engine::resolve_model(name, folders)).lexically_relative(root).string();
  }
  std::string refusal(const std::string& name) const {
    try {
      return "(found " + engine::resolve_model(name, folders) + ")";
    } catch (const fulgurite::Error& error) {
      EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
      EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
      return error.what();
    }
  }

  TempFolder folder_;
  fs::path root = folder_.file("");
  engine::StoreFolders folders;
};

}  // namespace tests
