#include "engine/model_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include "model/error.h"
#include "tests/support/data.h"
#include "tests/support/gguf_bytes.h"

namespace {

namespace fs = std::filesystem;
using engine::find_models;
using engine::resolve_model;
using engine::StoreFolders;
using fulgurite::Error;

const std::string kDigest(64, 'a');

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string manifest(const std::string& digest) {
  return R"({"schemaVersion": 2, "layers": [
    {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:bb"},
    {"mediaType": "application/vnd.ollama.image.model", "digest": ")" +
         digest + R"(", "size": 1}]})";
}

// A home with one of everything.
class ModelStore : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string gguf = tests::small_llama().build();
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
    for (const engine::FoundModel& m : find_models(folders)) all.push_back(m.name);
    return all;
  }
  std::string resolve(const std::string& name) const {
    return fs::path(resolve_model(name, folders)).lexically_relative(root).string();
  }
  std::string refusal(const std::string& name) const {
    try {
      return "(found " + resolve_model(name, folders) + ")";
    } catch (const Error& error) {
      EXPECT_EQ(fulgurite::ExitCode::kBadModel, error.code());
      EXPECT_EQ(std::string::npos, std::string(error.what()).find('\n'));
      return error.what();
    }
  }

  tests::TempFolder folder_;
  fs::path root = folder_.file("");
  StoreFolders folders;
};

TEST_F(ModelStore, EveryStoreIsListedUnderTheNamesThatItsOwnProgramUses) {
  EXPECT_EQ((std::vector<std::string>{
                "a.gguf", "folder", "hf:Org/Tiny-Llama:big/m-00001-of-00002.gguf",
                "hf:Org/Tiny-Llama:m-Q4_K.gguf", "hf:Org/Tiny-Llama:m-Q8_0.gguf",
                "hf:Org/Tiny-Llama:old.gguf", "hf:gpt2", "lmstudio:pub/Model-GGUF:model.Q8_0.gguf",
                "models/b.gguf", "ollama:hf.co/Org/Repo:Q4_K_M", "ollama:llama3:8b",
                "ollama:llama3:latest", "ollama:someone/own:v1"}),
            names());
}

TEST_F(ModelStore, NamesResolveToPaths) {
  const std::string blob = "ollama/blobs/sha256-" + kDigest;
  EXPECT_EQ(blob, resolve("ollama:llama3")) << "its latest";
  EXPECT_EQ(blob, resolve("ollama:llama3:8b"));
  EXPECT_EQ(blob, resolve("ollama:someone/own")) << "its only tag";
  EXPECT_EQ("hub/models--gpt2/snapshots/1", resolve("hf:gpt2"));
  const std::string snapshot = "hub/models--Org--Tiny-Llama/snapshots/0123abcd/";
  EXPECT_EQ(snapshot + "m-Q8_0.gguf", resolve("hf:Org/Tiny-Llama:m-Q8_0.gguf"));
  EXPECT_EQ(snapshot + "m-Q4_K.gguf", resolve("hf:org/tiny-llama:q4_k")) << "a part of its name";
  EXPECT_EQ("lmstudio/pub/Model-GGUF/model.Q8_0.gguf", resolve("lmstudio:pub/Model-GGUF"));
}

TEST_F(ModelStore, WhatIsSpeltExactlyIsMeant) {
  const std::string gguf = tests::small_llama().build();
  const std::string blob = "ollama/blobs/sha256-" + kDigest;
  tag("registry.ollama.ai/library/case/Q4", manifest("sha256:" + kDigest));
  tag("registry.ollama.ai/library/case/q4", manifest("sha256:" + std::string(64, 'b')));
  EXPECT_EQ(blob, resolve("ollama:case:Q4"));
  EXPECT_CONTAINS(refusal("ollama:Case:Q4"), "means 2 models");
  for (const std::string name : {"library/llama3", "registry.ollama.ai/library/llama3:8b",
                                 "registry.ollama.ai/someone/own"}) {
    EXPECT_EQ(blob, resolve("ollama:" + name)) << "as Ollama takes it";
  }
  write(root / "lmstudio/pub/Two-GGUF/m-Q4_K.gguf", gguf);
  write(root / "lmstudio/pub/Two-GGUF/m-Q4_K_M.gguf", gguf);
  write(root / "lmstudio/pub/Two-GGUF/mmproj-F16.gguf", gguf);
  EXPECT_EQ("lmstudio/pub/Two-GGUF/m-Q4_K.gguf", resolve("lmstudio:pub/Two-GGUF:Q4_K"));
  EXPECT_EQ("lmstudio/pub/Two-GGUF/m-Q4_K_M.gguf", resolve("lmstudio:pub/Two-GGUF/m-Q4_K_M.gguf"));
  EXPECT_CONTAINS(refusal("lmstudio:pub/Two-GGUF"), "means 2 models");
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

TEST_F(ModelStore, PathsStayAsTheyAre) {
  EXPECT_EQ("x/y.gguf", resolve_model("x/y.gguf", folders));
  EXPECT_EQ("s3:bucket", resolve_model("s3:bucket", folders));
  EXPECT_EQ("", resolve_model("", folders));
}

TEST_F(ModelStore, AFolderMeansTheGgufFileThatItHolds) {
  EXPECT_EQ("here/models/b.gguf", resolve((root / "here/models").string()));
  EXPECT_EQ("here/folder", resolve((root / "here/folder").string())) << "a model itself";
  EXPECT_EQ("here/.docker", resolve((root / "here/.docker").string())) << "no model";
  write(root / "here/models/config.json", "{}");
  EXPECT_EQ("here/models/b.gguf", resolve((root / "here/models").string())) << "no safetensors";
  write(root / "here/models/d.gguf", tests::small_llama().build());
  EXPECT_CONTAINS(refusal((root / "here/models").string()), "means 2 models", "b.gguf", "d.gguf");
}

TEST_F(ModelStore, ANameOfSeveralModelsListsThem) {
  EXPECT_CONTAINS(refusal("hf:Org/Tiny-Llama"), "means 4 models", "m-Q4_K.gguf", "m-Q8_0.gguf");
}

TEST_F(ModelStore, AnUnknownNameNamesTheNearest) {
  EXPECT_CONTAINS(refusal("ollama:lama3"), "is not in Ollama's store", "nearest: ollama:llama3");
  EXPECT_CONTAINS(refusal("hf:Org/TinyLlama"), "nearest: hf:", "Org/Tiny-Llama");
  EXPECT_CONTAINS(refusal("ollama:"), "ollama:: ");
  EXPECT_CONTAINS(refusal("hf:../../etc/passwd"), "is not in the Hugging Face cache");
  EXPECT_CONTAINS(refusal("ollama:" + std::string(100000, 'x')), "is not in");
}

TEST_F(ModelStore, AnEmptyStoreSaysWhereItLooked) {
  folders.ollama = {root / "nowhere", root / "nothing"};
  EXPECT_CONTAINS(refusal("ollama:llama3"), "holds no model", (root / "nothing").string());
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
    for (const char* name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "OLLAMA_MODELS"}) {
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
  EXPECT_EQ((std::vector<fs::path>{"/home/me/.ollama/models", "/usr/share/ollama/.ollama/models"}),
            f.ollama);
  EXPECT_EQ(
      (std::vector<fs::path>{"/home/me/.lmstudio/models", "/home/me/.cache/lm-studio/models"}),
      f.lm_studio);
  set("XDG_CACHE_HOME", "/c");
  EXPECT_EQ(std::vector<fs::path>{"/c/huggingface/hub"}, engine::store_folders().hugging_face);
  set("HF_HOME", "/hf");
  EXPECT_EQ(std::vector<fs::path>{"/hf/hub"}, engine::store_folders().hugging_face);
  set("HF_HOME", "~/hf");
  EXPECT_EQ(std::vector<fs::path>{"/home/me/hf/hub"}, engine::store_folders().hugging_face);
  set("HF_HUB_CACHE", "/hub");
  EXPECT_EQ(std::vector<fs::path>{"/hub"}, engine::store_folders().hugging_face);
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
