#include "engine/commands/words.h"

#include <algorithm>
#include <array>

#include "engine/edit_distance.h"
#include "model/error.h"
#include "model/utf8.h"

namespace engine::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

// What a script leaves where a variable was empty is no model, no file and no number: only a text
// may be empty.
void refuse_empty(const std::vector<std::string>& words) {
  constexpr std::array kTexts = {"-p", "--prompt", "--system"};
  for (size_t i = 0; i < words.size(); ++i) {
    const bool option = words[i].starts_with("--") && words[i].ends_with('=');
    if (!words[i].empty() && !option) continue;
    const std::string name = option  ? words[i].substr(0, words[i].size() - 1)
                             : i > 0 ? words[i - 1]
                                     : std::string();
    if (std::find(kTexts.begin(), kTexts.end(), name) != kTexts.end()) continue;
    throw Error(ExitCode::kUsage, "an argument is empty", name, "leave it out or say something");
  }
}

}  // namespace

std::vector<std::string> words_of(int argc, char** argv, const std::vector<std::string>& commands) {
  std::vector<std::string> words(argv + 1, argv + argc);
  refuse_empty(words);
  if (!words.empty() && words[0] == "help") {  // help run: run --help
    words.erase(words.begin());
    words.resize(std::min<size_t>(words.size(), 1));
    words.emplace_back("--help");
  }
  if (!words.empty() && words[0] == "version") words[0] = "--version";
  // `view` is the default: without a command, with flags only, or with a file.
  const bool named =
      !words.empty() && std::find(commands.begin(), commands.end(), words[0]) != commands.end();
  const bool about = !words.empty() && (words[0] == "--help" || words[0] == "-h" ||
                                        words[0] == "--version" || words[0] == "-V");
  const bool looks_like_file =
      !words.empty() && (words[0][0] == '-' || words[0].find_first_of("./:") != std::string::npos);
  if (words.empty() || (!named && !about && looks_like_file)) {
    words.insert(words.begin(), "view");
  } else if (!named && !about) {
    const std::string meant = probably(words[0], commands);
    std::string hint;
    if (!meant.empty()) {
      hint = "did you mean " + meant + "?";
    } else {
      for (const std::string& name : commands) hint += (hint.empty() ? "" : ", ") + name;
    }
    throw Error(ExitCode::kUsage, "there is no command " + model::quoted(words[0]), "", hint);
  }
  return words;
}

}  // namespace engine::commands
