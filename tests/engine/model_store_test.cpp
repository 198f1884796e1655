#include "engine/model_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>

#include "tests/engine/model_stores.h"

namespace {

namespace fs = std::filesystem;
using engine::StoreFolders;
using tests::kDigest;
using tests::manifest;
using tests::write;
using ModelStore = tests::ModelStores;

TEST_F(ModelStore, EveryStoreIsListedUnderTheNamesThatItsOwnProgramUses) {
  EXPECT_EQ((std::vector<std::string>{
                "a.gguf", "folder", "hf:Org/Tiny-Llama:big/m-00001-of-00002.gguf",
                "hf:Org/Tiny-Llama:m-Q4_K.gguf", "hf:Org/Tiny-Llama:m-Q8_0.gguf",
                "hf:Org/Tiny-Llama:old.gguf", "hf:gpt2", "lmstudio:pub/Model-GGUF:model.Q8_0.gguf",
                "models/b.gguf", "ollama:hf.co/Org/Repo:Q4_K_M", "ollama:llama3:8b",
                "ollama:llama3:latest", "ollama:someone/own:v1"}),
            names());
}

TEST_F(ModelStore, FilesThatOnlyLookLikeParts) {
  write(root / "here/x-kings-of-time.GGUF", tests::small_llama().build());
  const std::vector<std::string> all = names();
  EXPECT_NE(all.end(), std::find(all.begin(), all.end(), "x-kings-of-time.GGUF"));
}

// A download that was broken off leaves a snapshot with little in it.
TEST_F(ModelStore, WithoutAMainTheLastSnapshotThatHoldsAModelCounts) {
  const fs::path repo = root / "hub/models--Org--Cut";
  write(repo / "snapshots/1/m.gguf", tests::small_llama().build());
  write(repo / "snapshots/2/config.json", "{}");
  EXPECT_EQ("hub/models--Org--Cut/snapshots/1/m.gguf", resolve("hf:Org/Cut"));
}

// A repository changes its README, and what is fetched next lies in another snapshot.
TEST_F(ModelStore, WhatOnlyAnOlderSnapshotHoldsIsFoundToo) {
  const fs::path repo = root / "hub/models--Org--Two";
  const std::string gguf = tests::small_llama().build();
  write(repo / "refs/main", "bb");
  for (const char* file : {"aa/Q8_0.gguf", "aa/both.gguf", "bb/Q4_0.gguf", "bb/both.gguf"}) {
    write(repo / "snapshots" / file, gguf);
  }
  EXPECT_EQ("hub/models--Org--Two/snapshots/aa/Q8_0.gguf", resolve("hf:Org/Two:Q8_0"));
  EXPECT_EQ("hub/models--Org--Two/snapshots/bb/both.gguf", resolve("hf:Org/Two:both"));
  write(root / "hub/models--Org--Old/refs/main", "2");
  write(root / "hub/models--Org--Old/snapshots/2/config.json", "{}");
  write(root / "hub/models--Org--Old/snapshots/1/config.json", "{}");
  write(root / "hub/models--Org--Old/snapshots/1/model.safetensors", "");
  EXPECT_EQ("hub/models--Org--Old/snapshots/1", resolve("hf:Org/Old")) << "main has no weights";
}

// An update that was broken off must not hide what runs.
TEST_F(ModelStore, ACompleteSnapshotGoesBeforeOneThatLacksWeights) {
  const fs::path repo = root / "hub/models--Org--Update";
  const std::string index = R"({"weight_map": {"a": "m-00001-of-00002.safetensors",
                                               "b": "m-00002-of-00002.safetensors"}})";
  write(repo / "refs/main", "bb");
  for (const char* snapshot : {"aa", "bb"}) {
    write(repo / "snapshots" / snapshot / "config.json", "{}");
    write(repo / "snapshots" / snapshot / "model.safetensors.index.json", index);
    write(repo / "snapshots" / snapshot / "m-00001-of-00002.safetensors", "");
  }
  EXPECT_EQ("hub/models--Org--Update/snapshots/bb", resolve("hf:Org/Update")) << "neither is whole";
  write(repo / "snapshots/aa/m-00002-of-00002.safetensors", "");
  EXPECT_EQ("hub/models--Org--Update/snapshots/aa", resolve("hf:Org/Update"));
}

// As llama.cpp kept what it fetched until it took Hugging Face's layout.
TEST_F(ModelStore, WhatLlamaCppFetchedGoesByItsPath) {
  folders.llama_cpp = {root / "llama.cpp"};
  write(root / "llama.cpp/org_repo_m-Q8_0.gguf", tests::small_llama().build());
  write(root / "llama.cpp/org_repo_m-Q8_0.gguf.etag", "x");
  const std::vector<std::string> all = names();
  EXPECT_EQ(1,
            std::count(all.begin(), all.end(), (root / "llama.cpp/org_repo_m-Q8_0.gguf").string()));
}

TEST_F(ModelStore, WithoutAMainTheNewestSnapshotCounts) {
  const fs::path repo = root / "hub/models--Org--Hash";
  for (const std::string name : {"ffff", "1111"}) {
    write(repo / "snapshots" / name / "m.gguf", tests::small_llama().build());
  }
  const auto now = fs::last_write_time(repo / "snapshots/1111");
  fs::last_write_time(repo / "snapshots/ffff", now - std::chrono::hours(1));
  EXPECT_EQ("hub/models--Org--Hash/snapshots/1111/m.gguf", resolve("hf:Org/Hash"));
}

// Its numbers would be those of another model.
TEST_F(ModelStore, AnAdapterIsNotPassedOver) {
  tag("registry.ollama.ai/library/tuned/latest",
      R"({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:)" +
          kDigest +
          R"("}, {"mediaType": "application/vnd.ollama.image.adapter", "digest": "sha256:bb"}]})");
  EXPECT_CONTAINS(refusal("ollama:tuned"), "has an adapter (LoRA)");
}

TEST_F(ModelStore, TheWorkingFolderMayBeAModelItself) {
  folders.working = root / "here/folder";
  const std::vector<std::string> all = names();
  EXPECT_EQ(1, std::count(all.begin(), all.end(), "."));
}

TEST_F(ModelStore, HostileManifestsArePassedOver) {
  const size_t before = names().size();
  tag("registry.ollama.ai/library/bad/json", "{\"layers\": [");
  tag("registry.ollama.ai/library/bad/deep", std::string(100000, '['));
  tag("registry.ollama.ai/library/bad/large", std::string(2 << 20, ' '));
  tag("registry.ollama.ai/library/bad/types", R"({"layers": {"a": [1, null, "x"]}})");
  tag("registry.ollama.ai/library/bad/list", R"([{"layers": 3}])");
  tag("registry.ollama.ai/library/bad/empty", "");
  tag("registry.ollama.ai/library/bad/away", manifest("sha256:../../../../etc/passwd"));
  tag("registry.ollama.ai/library/bad/short", manifest("sha256:aa"));
  tag("registry.ollama.ai/library/bad/kind", manifest("md5:" + kDigest));
  fs::create_directories(root / "ollama/manifests/registry.ollama.ai/library/bad/folder");
  ASSERT_EQ(0,
            mkfifo((root / "ollama/manifests/registry.ollama.ai/library/bad/pipe").c_str(), 0600));
  EXPECT_EQ(before, names().size());
}

TEST_F(ModelStore, LoopsOfLinksEnd) {
  fs::create_directory_symlink(root, root / "here/round");
  fs::create_directory_symlink(root / "here/self", root / "here/self");
  fs::create_directory_symlink(root / "hub", root / "hub/models--a--b");
  fs::create_directory_symlink(root / "lmstudio", root / "lmstudio/loop");
  fs::create_directory_symlink(root / "ollama/manifests", root / "ollama/manifests/loop");
  fs::create_symlink(root / "here/gone.gguf", root / "here/broken.gguf");
  const std::vector<std::string> all = names();
  EXPECT_EQ(1, std::count(all.begin(), all.end(), "a.gguf"));
  EXPECT_EQ(0, std::count(all.begin(), all.end(), "broken.gguf"));
}

TEST_F(ModelStore, ARefThatLeadsOutsideIsNotFollowed) {
  write(root / "hub/models--Org--Tiny-Llama/refs/main", "../../../here");
  EXPECT_CONTAINS(resolve("hf:Org/Tiny-Llama:old"), "snapshots/ffff/old.gguf");
}

// ---- where the folders are

class StoreFoldersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME",
                             "LLAMA_CACHE", "OLLAMA_MODELS"}) {
      set(name, nullptr);
    }
    set("HOME", "/home/me");
  }
  void TearDown() override {
    for (const auto& [name, value] : old_) put(name, value);
  }
  void set(const std::string& name, const char* value) {
    const char* now = std::getenv(name.c_str());
    old_.try_emplace(name, now ? std::optional<std::string>(now) : std::nullopt);
    put(name, value ? std::optional<std::string>(value) : std::nullopt);
  }

 private:
  static void put(const std::string& name, const std::optional<std::string>& value) {
    if (value) {
      setenv(name.c_str(), value->c_str(), 1);
    } else {
      unsetenv(name.c_str());
    }
  }
  std::map<std::string, std::optional<std::string>> old_;
};

TEST_F(StoreFoldersTest, AreBelowTheHomeUnlessSaidOtherwise) {
  StoreFolders f = engine::store_folders();
  EXPECT_EQ(std::vector<fs::path>{"/home/me/.cache/huggingface/hub"}, f.hugging_face);
  EXPECT_EQ(
      (std::vector<fs::path>{"/home/me/.ollama/models", "/usr/share/ollama/.ollama/models",
                             "/var/lib/ollama/.ollama/models", "/var/snap/ollama/common/models"}),
      f.ollama);
  EXPECT_EQ(std::vector<fs::path>{"/home/me/.cache/llama.cpp"}, f.llama_cpp);
  EXPECT_EQ(
      (std::vector<fs::path>{"/home/me/.lmstudio/models", "/home/me/.cache/lm-studio/models"}),
      f.lm_studio);
  set("XDG_CACHE_HOME", "/c");
  EXPECT_EQ(std::vector<fs::path>{"/c/huggingface/hub"}, engine::store_folders().hugging_face);
  set("HF_HOME", "/hf");
  EXPECT_EQ(std::vector<fs::path>{"/hf/hub"}, engine::store_folders().hugging_face);
  set("HF_HOME", "~/hf");
  EXPECT_EQ(std::vector<fs::path>{"/home/me/hf/hub"}, engine::store_folders().hugging_face);
  set("HF_HOME", "~");
  EXPECT_EQ(std::vector<fs::path>{"/home/me/hub"}, engine::store_folders().hugging_face);
  set("HF_HUB_CACHE", "/hub");
  EXPECT_EQ(std::vector<fs::path>{"/hub"}, engine::store_folders().hugging_face);
  set("LLAMA_CACHE", "/l");
  EXPECT_EQ((std::vector<fs::path>{"/hub", "/l"}), engine::store_folders().hugging_face);
  EXPECT_EQ(std::vector<fs::path>{"/l"}, engine::store_folders().llama_cpp);
  set("OLLAMA_MODELS", "/o");
  EXPECT_EQ("/o", engine::store_folders().ollama.front());
  set("HOME", nullptr);
  EXPECT_TRUE(engine::store_folders().lm_studio.empty());
}

// As LM Studio is told to keep its data elsewhere (lmstudio-bug-tracker, issue 553), and its
// models elsewhere again.
TEST_F(ModelStore, LmStudioSaysItselfWhereItsModelsAre) {
  const auto folders_at_home = [&] {
    const char* home = std::getenv("HOME");
    const std::string old = home ? home : "";
    setenv("HOME", root.c_str(), 1);
    const std::vector<fs::path> found = engine::store_folders().lm_studio;
    home ? setenv("HOME", old.c_str(), 1) : unsetenv("HOME");
    return found;
  };
  const std::vector<fs::path> usual = {root / ".lmstudio/models", root / ".cache/lm-studio/models"};
  write(root / ".lmstudio-home-pointer", (root / "big/lmstudio").string() + "\n");
  EXPECT_EQ((std::vector<fs::path>{root / "big/lmstudio/models", usual[0], usual[1]}),
            folders_at_home());
  write(root / "big/lmstudio/settings.json", R"({"downloadsFolder": "/mnt/ggufs"})");
  EXPECT_EQ((std::vector<fs::path>{"/mnt/ggufs", root / "big/lmstudio/models", usual[0], usual[1]}),
            folders_at_home());
  write(root / ".lmstudio-home-pointer", (root / ".lmstudio").string());
  EXPECT_EQ(usual, folders_at_home());
  for (const char* pointer : {"", "\n", "relative/folder", "\xFF\xFE"}) {
    write(root / ".lmstudio-home-pointer", pointer);
    for (const char* settings :
         {"", "[", "{}", R"({"downloadsFolder": 7})", R"({"downloadsFolder": ""})",
          R"({"downloadsFolder": "models"})"}) {
      write(root / ".lmstudio/settings.json", settings);
      EXPECT_EQ(usual, folders_at_home());
    }
  }
}

}  // namespace
