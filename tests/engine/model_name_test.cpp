#include "engine/model_name.h"

#include <unistd.h>

#include "tests/engine/model_stores.h"

namespace {

namespace fs = std::filesystem;
using tests::kDigest;
using tests::manifest;
using tests::write;
using ModelName = tests::ModelStores;

TEST_F(ModelName, NamesResolveToPaths) {
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

TEST_F(ModelName, WhatIsSpeltExactlyIsMeant) {
  const std::string gguf = tests::small_llama().build();
  const std::string blob = "ollama/blobs/sha256-" + kDigest;
  tag("registry.ollama.ai/library/case/Q4", manifest("sha256:" + kDigest));
  tag("registry.ollama.ai/library/case/q4", manifest("sha256:" + std::string(64, 'b')));
  EXPECT_EQ(blob, resolve("ollama:case:Q4"));
  EXPECT_CONTAINS(refusal("ollama:Case:Q4"), "may mean 2 models");
  for (const std::string name : {"library/llama3", "registry.ollama.ai/library/llama3:8b",
                                 "registry.ollama.ai/someone/own"}) {
    EXPECT_EQ(blob, resolve("ollama:" + name)) << "as Ollama takes it";
  }
  write(root / "lmstudio/pub/Two-GGUF/m-Q4_K.gguf", gguf);
  write(root / "lmstudio/pub/Two-GGUF/m-Q4_K_M.gguf", gguf);
  write(root / "lmstudio/pub/Two-GGUF/mmproj-F16.gguf", gguf);
  EXPECT_EQ("lmstudio/pub/Two-GGUF/m-Q4_K.gguf", resolve("lmstudio:pub/Two-GGUF:Q4_K"));
  EXPECT_EQ("lmstudio/pub/Two-GGUF/m-Q4_K_M.gguf", resolve("lmstudio:pub/Two-GGUF/m-Q4_K_M.gguf"));
  EXPECT_CONTAINS(refusal("lmstudio:pub/Two-GGUF"), "may mean 2 models");
}

TEST_F(ModelName, PathsStayAsTheyAre) {
  EXPECT_EQ("x/y.gguf", engine::resolve_model("x/y.gguf", folders));
  EXPECT_EQ("no.gguf", engine::resolve_model("no.gguf", folders));
  EXPECT_EQ("", engine::resolve_model("", folders));
}

TEST_F(ModelName, WhatIsNoPathAndNoModelSaysWhereModelsAreListed) {
  for (const char* name : {"s3:bucket", "surely-no-model"})
    EXPECT_CONTAINS(refusal(name), "no model of this name", "`fulgurite models`");
}

TEST_F(ModelName, AFolderMeansTheGgufFileThatItHolds) {
  EXPECT_EQ("here/models/b.gguf", resolve((root / "here/models").string()));
  EXPECT_EQ("here/folder", resolve((root / "here/folder").string())) << "a model itself";
  EXPECT_EQ("here/.docker", resolve((root / "here/.docker").string())) << "no model";
  write(root / "here/models/config.json", "{}");
  EXPECT_EQ("here/models/b.gguf", resolve((root / "here/models").string())) << "no safetensors";
  write(root / "here/models/d.gguf", tests::small_llama().build());
  EXPECT_CONTAINS(refusal((root / "here/models").string()), "may mean 2 models", "b.gguf", "d.gguf");
}

TEST_F(ModelName, ANameOfSeveralModelsListsThem) {
  EXPECT_CONTAINS(refusal("hf:Org/Tiny-Llama"), "may mean 4 models", "m-Q4_K.gguf", "m-Q8_0.gguf");
}

TEST_F(ModelName, AnUnknownNameNamesTheNearest) {
  EXPECT_CONTAINS(refusal("ollama:lama3"), "is not in Ollama's store", "nearest: ollama:llama3");
  EXPECT_CONTAINS(refusal("hf:Org/TinyLlama"), "nearest: hf:", "Org/Tiny-Llama");
  EXPECT_CONTAINS(refusal("ollama:"), "ollama:: ");
  EXPECT_CONTAINS(refusal("hf:../../etc/passwd"), "is not in the Hugging Face cache");
  EXPECT_CONTAINS(refusal("ollama:" + std::string(100000, 'x')), "is not in");
}

TEST_F(ModelName, AnEmptyStoreSaysWhereItLooked) {
  folders.ollama = {root / "nowhere", root / "nothing"};
  EXPECT_CONTAINS(refusal("ollama:llama3"), "no model was found there", (root / "nothing").string());
}

TEST_F(ModelName, AnOllamaTagIsNeverAPartOfAnother) {
  tag("registry.ollama.ai/library/qwen3/14b", manifest("sha256:" + kDigest));
  tag("registry.ollama.ai/library/gemma2/27b-instruct-q4_0", manifest("sha256:" + kDigest));
  EXPECT_CONTAINS(refusal("ollama:qwen3:4b"), "is not in Ollama's store",
                  "nearest: ollama:qwen3:14b");
  EXPECT_CONTAINS(refusal("ollama:gemma2:27b"), "nearest: ollama:gemma2:27b-instruct-q4_0");
  EXPECT_CONTAINS(resolve("ollama:QWEN3:14B"), kDigest);
}

// Another quantisation or size would open as if it had been asked for.
TEST_F(ModelName, APartOfAFilesNameBeginsWhereAWordDoes) {
  const std::string repo = "lmstudio/pub/Parts-GGUF/";
  for (const char* file : {"m-0.5b-BF16.gguf", "m-0.5b-IQ4_XS.gguf", "m-14b-Q8_0.gguf"}) {
    write(root / repo / file, tests::small_llama().build());
  }
  for (const char* part : {"F16", "Q4_XS", "5b", "4b", "_0"}) {
    EXPECT_CONTAINS(refusal("lmstudio:pub/Parts-GGUF:" + std::string(part)), "is not in") << part;
  }
  EXPECT_EQ(repo + "m-0.5b-BF16.gguf", resolve("lmstudio:pub/Parts-GGUF:bf16"));
  EXPECT_EQ(repo + "m-14b-Q8_0.gguf", resolve("lmstudio:pub/Parts-GGUF:q8"));
  EXPECT_EQ(repo + "m-14b-Q8_0.gguf", resolve("lmstudio:pub/Parts-GGUF:14b"));
}

TEST_F(ModelName, APathThatLeadsNowhereMayBeANameOfAStore) {
  for (const char* name : {"llama3", "Ollama:llama3", "ollama/llama3", "LLAMA3"}) {
    EXPECT_CONTAINS(refusal(name), "no such file (did you mean ollama:llama3:latest?)") << name;
  }
  EXPECT_CONTAINS(refusal("gpt2"), "did you mean hf:gpt2?");
  for (const char* page : {"https://huggingface.co/Org/Tiny-Llama/blob/main/m-Q8_0.gguf",
                           "huggingface.co/Org/Tiny-Llama/resolve/main/m-Q8_0.gguf?download=true",
                           "hf.co/org/tiny-llama/tree/main"}) {
    EXPECT_CONTAINS(refusal(page), "did you mean hf:Org/Tiny-Llama:", "m-Q8_0.gguf") << page;
  }
  EXPECT_CONTAINS(refusal("https://huggingface.co/Org/Else"), "is an address", "download it");
}

// What a store has but no model is in says what is there instead.
TEST_F(ModelName, WhatIsThereButNoModelSaysWhy) {
  const auto repository = [&](const std::string& name) {
    return root / ("hub/models--Org--" + name) / "snapshots/1";
  };
  write(repository("Pickled") / "config.json", "{}");
  write(repository("Pickled") / "pytorch_model.bin", "PK");
  EXPECT_CONTAINS(refusal("hf:Org/Pickled"), "holds only pickled weights", "safetensors");
  write(repository("Lora") / "adapter_config.json", "{}");
  write(repository("Lora") / "adapter_model.safetensors", "");
  EXPECT_CONTAINS(refusal("hf:org/lora"), "is an adapter (LoRA)");
  write(repository("Words") / "tokenizer.json", "{}");
  EXPECT_CONTAINS(refusal("hf:Org/Words"), "holds no weights");
  write(repository("Cut") / "config.json", "{}");
  write(root / "hub/models--Org--Cut/blobs/cafe.incomplete", "half");
  EXPECT_CONTAINS(refusal("hf:Org/Cut:Q8_0"), "is not downloaded to its end");
  fs::create_directories(repository("Gone"));
  fs::create_symlink("../../blobs/gone", repository("Gone") / "m.gguf");
  EXPECT_CONTAINS(refusal("hf:Org/Gone"), "no longer there", "fetch it again");
  write(root / "hub/models--Org--Cut-GGUF/snapshots/1/m.gguf", tests::small_llama().build());
  EXPECT_CONTAINS(refusal("hf:Org/Cut"), "is not downloaded to its end")
      << "whatever begins with the same name";
  EXPECT_CONTAINS(refusal("Org/Cut"), "hf:Org/Cut: is not downloaded to its end");
  write(repository("Deep") / "a/b/m.gguf", tests::small_llama().build());
  write(repository("Deep") / "a/m.safetensors", "");
  write(root / "lmstudio/pub/Deep/a/b/model.onnx", "");
  EXPECT_CONTAINS(refusal("lmstudio:pub/Deep"), "holds no weights");

  tag("registry.ollama.ai/library/bad/latest", "{\"layers\": [");
  EXPECT_CONTAINS(refusal("ollama:bad"), "damaged manifest", "ollama pull bad:latest");
  tag("registry.ollama.ai/library/cloud/latest", "{\"layers\": []}");
  EXPECT_CONTAINS(refusal("ollama:cloud:latest"), "names no GGUF file");
  tag("registry.ollama.ai/library/lost/1b", manifest("sha256:" + std::string(64, 'c')));
  EXPECT_CONTAINS(refusal("ollama:lost"), "is missing", "`ollama pull lost:1b` fetches it again");
}

TEST_F(ModelName, NamesOfFilesGiveATerminalNoOrders) {
  tag("registry.ollama.ai/library/odd\x1B[31m/latest", "{\"layers\": [");
  tag("registry.ollama.ai/library/odd\x1B[31m/lost", manifest("sha256:" + std::string(64, 'c')));
  write(root / "lmstudio/pub/odd\x1B[31m/a.safetensors", "");
  for (const char* name : {"ollama:odd\x1B[31m", "ollama:odd\x1B[31m:lost", "odd\x1B[31m",
                           "lmstudio:pub/odd\x1B[31m", "pub/odd\x1B[31m"}) {
    const std::string sentence = refusal(name);
    EXPECT_CONTAINS(sentence, "odd\\x1B[31m");
    EXPECT_EQ(std::string::npos, sentence.find('\x1B')) << sentence;
  }
}

TEST_F(ModelName, AFolderThatMayNotBeLookedIntoIsNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  fs::permissions(root / "ollama", fs::perms::none);
  const std::string named = refusal("ollama:llama3");
  const std::string as_path = refusal((root / "ollama").string());
  fs::permissions(root / "ollama", fs::perms::owner_all);
  EXPECT_CONTAINS(named, "which cannot be looked into: Permission denied");
  EXPECT_CONTAINS(as_path, "cannot be looked into: Permission denied");
}

TEST_F(ModelName, WhatLiesBesideAModelIsNotMeant) {
  const fs::path folder = root / "here/pair";
  write(folder / "model.gguf", tests::small_llama().build());
  write(folder / "lora.gguf", tests::small_llama().string("general.type", "adapter").build());
  write(folder / "imatrix.gguf", tests::small_llama().string("general.type", "imatrix").build());
  EXPECT_EQ("here/pair/model.gguf", resolve(folder.string()));
}

}  // namespace
