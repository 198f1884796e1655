// Reads the command line and hands over: the only file that sees both engine/ and render/.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "assets/builtin.h"
#include "engine/commands/files.h"
#include "engine/commands/flags.h"
#include "engine/commands/readings.h"
#include "engine/commands/running.h"
#include "engine/commands/words.h"
#include "engine/commands/writing.h"
#include "engine/inference.h"
#include "engine/standard_streams.h"
#include "engine/structure/structure.h"
#include "engine/structure/synthetic.h"
#include "engine/threads.h"
#include "engine/trace/file.h"
#include "engine/trace/follower.h"
#include "engine/trace/schema_text.h"
#include "engine/trace/server.h"
#include "model/error.h"
#include "model/utf8.h"
#include "render/commands/bench_render.h"
#include "render/commands/record.h"
#include "render/commands/view.h"

namespace {

using fulgurite::Error;
using fulgurite::ExitCode;

constexpr uint32_t kTokensOfAVideo = 24;

// One line, whatever a stranger's file name or text of an argument holds.
void say(const std::string& text) {
  std::fprintf(stderr, "fulgurite: %s\n", model::printable(text, 10'000).c_str());
}

using engine::commands::between;
using engine::commands::refuse_generation;
using engine::commands::refuse_same_file;
using engine::commands::refuse_same_outputs;

// What generating commands share, and what a picture needs.
struct Flags : engine::commands::Flags {
  const CLI::App* command = nullptr;  // that was given; null: what was opened in a window
  std::string file;                   // positional: a model or a trace
  size_t conversation = 0;            // of a trace, from 1; 0: the last
  bool follow = false;                // what is still written to the trace
  std::string window_size = "1280x720";
  std::string theme = "dark";
  std::string palette = "default";
  std::string channels;
  std::string gains;
  std::string panels = render::commands::panel_names();
  std::vector<std::string> structures;
  bool synthetic = false;
  render::commands::SceneOptions scene;
};

engine::ModelSource source_of(const Flags& flags) {
  return {flags.model, assets::builtin_model()};
}

void add_scene(CLI::App& app, Flags& flags) {
  add_generation(app, flags);
  // A picture of every token of a long text would take hours to render: fewer unless asked for.
  app.parse_complete_callback([&app, &flags] {
    flags.command = &app;
    if ((app.get_name() != "view" || app.count("--headless") > 0) && app.count("-n") == 0)
      flags.n = kTokensOfAVideo;
  });
  app.add_option(
      "FILE", flags.file,
      "a trace to show, or, beside -m and its model, to run again; or a model to run: told "
      "apart by their first bytes; or where one is served: tcp:PORT or unix:PATH");
  auto* conversation =
      app.add_option("--conversation", flags.conversation, "which one of a trace, from 1")
          ->check(CLI::Range(size_t{1}, size_t{1} << 32));
  app.add_flag("--follow", flags.follow, "also show what is still written to the trace")
      ->excludes(conversation);
  app.add_option("--structure", flags.structures,
                 "show models without weights, side by side at the same scale: " +
                     engine::structure_names() + ", a GGUF file or a config.json")
      ->delimiter(',');
  app.add_flag("--synthetic", flags.synthetic,
               "with --structure: invented numbers run through every one, on one clock")
      ->needs("--structure");
  app.add_flag("--true-proportions", flags.scene.layout.true_proportions,
               "extents grow as the numbers do, not as roots of them");
  app.add_option("--window-size", flags.window_size, "WIDTHxHEIGHT in pixels")
      ->capture_default_str();
  app.add_option("--camera", flags.scene.camera, render::commands::kViews);
  app.add_option("--select", flags.scene.select,
                 "a node to inspect: L3.H1, L3.F20, L3.E5, L3.K0.5, L3.A, L3.M, L3.R, C0 or T5");
  app.add_option("--tensor", flags.scene.tensor,
                 "with --select: which of the node's tensors, by its name: attn.z")
      ->needs("--select");
  app.add_option("--panels", flags.panels,
                 "what stands over the picture: " + render::commands::panel_names() + "; or none")
      ->capture_default_str();
  app.add_option("--zoom-to", flags.scene.zoom_to,
                 "a value of a tensor to fly to: blk.3.attn_q.weight[17,204]");
  app.add_option("--theme", flags.theme, "dark or light")->check(CLI::IsMember({"dark", "light"}));
  const auto names = scene::palette_names();
  app.add_option("--palette", flags.palette, "colours of the channels")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())))
      ->capture_default_str();
  app.add_option("--channels", flags.channels,
                 "only these: residual,attention,kv,ffn,candidates,tokens,rest,drain");
  app.add_option("--gain", flags.gains, "strength of channels, 0 to 4: ffn=2,kv=0.5");
  app.add_flag("--show-all", flags.scene.look.show_all, "draw all bolts that are listed");
  app.add_option("--pace", flags.scene.pace, "steps a second, 0.0625 to 8")
      ->check(between(1.0 / 16.0, 8.0))
      ->capture_default_str();
  app.add_flag("--reduced-motion", flags.scene.look.reduced_motion, "no travel, flicker, drift");
  app.add_option("--ui-scale", flags.scene.look.scale, "size of text and panels")
      ->check(between(0.5, 4.0));
  app.add_option("--device", flags.scene.device, "Vulkan device, by index or part of its name");
}

void add_video(CLI::App& app, render::commands::RecordOptions& record) {
  app.add_option("-o,--output", record.output, "the video (mp4)")->capture_default_str();
  app.add_option("--fps", record.fps, "frames a second")
      ->check(between(1.0, 240.0))
      ->capture_default_str();
  app.add_option("--seconds", record.seconds, "length; 0: as --pace says")
      ->check(between(0.0, 36000.0));
}

// The trace and whoever writes it: the engine, a file or another process.
class Source {
 public:
  // Fills in scene's log, control and the rest. written: files that will be.
  explicit Source(Flags& flags, std::vector<std::string> written = {}) {
    auto& scene = flags.scene;
    written.push_back(flags.trace_path);
    refuse_same_outputs(written);
    std::vector<std::string> read = flags.structures;
    read.insert(read.end(), {flags.model, flags.prompt_file, flags.file});
    for (const std::string& output : written) refuse_same_file(output, read);
    render::commands::set_size(flags.window_size, scene);
    render::commands::set_panels(flags.panels, scene);
    scene.look.theme = flags.theme == "light" ? scene::Theme::kLight : scene::Theme::kDark;
    scene.look.lens = flags.lens;
    scene.look.palette = *scene::palette_of(flags.palette);
    if (const auto wrong = choose_channels(flags.channels, flags.gains, scene.look.channels)) {
      throw Error(ExitCode::kUsage, *wrong, "--channels, --gain",
                  "residual,attention,kv,ffn,candidates,tokens,rest,drain; ffn=2,kv=0.5");
    }
    scene.log = &log_;
    if (!flags.serve.empty()) server_ = std::make_unique<trace::Server>(log_, flags.serve);
    if (flags.follow || trace::is_address(flags.file)) {
      follow(flags);
      return;
    }
    if (flags.conversation > 0 && !trace::is_trace_file(flags.file))
      throw Error(ExitCode::kUsage, "needs a trace", "--conversation", "name a trace's FILE");
    if (!flags.structures.empty()) {
      show_structures(flags);
      return;
    }
    const bool trace = !flags.file.empty() && trace::is_trace_file(flags.file);
    if (trace && flags.model.empty()) {
      show_trace(flags);
      return;
    }
    if (!trace && !flags.file.empty()) {
      if (!flags.model.empty()) {
        throw Error(ExitCode::kUsage, "is given beside -m " + flags.model, flags.file,
                    "leave one of them out");
      }
      flags.model = flags.file;
    }
    model_name_ = flags.model.empty() ? engine::kBuiltin : flags.model;
    scene.control = &control_;
    session_ = session_of(flags);
    std::optional<engine::Recording> recording;
    if (trace) {
      recording = recording_of(flags, flags.command, flags.file, flags.conversation);
      tell(recording->contents, flags);
    } else {
      scene.generate = generate_of(flags);
    }
    engine::behind_the_picture([&] {
      model_ = std::make_unique<engine::LoadedModel>(source_of(flags),
                                                     engine::thread_count(flags.threads));
      if (recording) {
        require_runnable(*recording, *model_, flags.file);
        session_ = session_of(flags, flags.command, *recording, *model_);
        scene.generate = question_of(recording->replay, *model_->tokenizer);
        scene.replay = recording->replay;
      }
      inference_ =
          std::make_unique<engine::Inference>(*model_, log_, control_, session_, flags.trace_path);
    });
  }

  // Where others may watch; empty: nowhere.
  std::string address() const { return server_ ? server_->address() : std::string(); }
  // Null when no model runs here.
  engine::LoadedModel* model() { return model_.get(); }
  const engine::SessionOptions& session() const { return session_; }
  // As -m names the model that runs, if it can run this trace again; else empty.
  std::string writer_of(const std::string& trace) const {
    if (!model_ || !trace::is_trace_file(trace)) return {};
    try {
      require_runnable(engine::read_recording(trace), *model_, trace);
      return model_name_;
    } catch (const Error&) {  // it is said by whoever shows it
      return {};
    }
  }
  // When the pictures are made. Throws Error (failed) when --trace's file is not whole.
  int finished(int exit_code) {
    if (inference_) inference_->finish();
    using Clock = std::chrono::steady_clock;
    const auto latest = Clock::now() + std::chrono::seconds(2);
    follower_.reset();
    if (server_) server_->finish([&] { return Clock::now() > latest; });
    return exit_code;
  }

 private:
  void show_structures(Flags& flags) {
    if (!flags.file.empty() || !flags.model.empty()) {
      throw Error(ExitCode::kUsage, "shows models without running one", "--structure",
                  "leave out " + (flags.file.empty() ? "-m" : flags.file));
    }
    refuse_generation(*flags.command, "--structure runs no model");
    std::vector<trace::Model> models;
    for (const std::string& name : flags.structures)
      models.push_back(engine::find_structure(name, source_of(flags)));
    flags.scene.layout.brackets = true;
    flags.scene.layout.all_move = flags.synthetic;
    for (size_t i = 0; i < models.size(); ++i) {
      if (i > 0) flags.scene.beside.push_back(beside_.emplace_back(new trace::Log).get());
      trace::Log& log = i > 0 ? *beside_.back() : log_;
      if (flags.synthetic) {
        engine::write_synthetic(models[i], {}, log);
      } else {
        engine::write_structure(models[i], log);
      }
    }
  }

  static void refuse_to_run(const Flags& flags, bool followed) {
    const std::string or_run = followed ? "" : ", or name its model with -m to run it again";
    if (!flags.trace_path.empty()) {
      throw Error(ExitCode::kUsage,
                  followed ? "is shown as it comes: there is nothing to write"
                           : "is a trace already: there is nothing to write",
                  flags.file, "leave out --trace" + or_run);
    }
    if (flags.command != nullptr)
      refuse_generation(*flags.command, "a trace holds its text", {"--lens"},
                        "leave it out" + or_run);
  }

  void follow(Flags& flags) {
    if (flags.file.empty())
      throw Error(ExitCode::kUsage, "needs a trace", "--follow", "name its FILE");
    if (!flags.model.empty() || flags.conversation > 0) {
      throw Error(ExitCode::kUsage, "is still on its way: it is shown as it comes", flags.file,
                  "leave out -m and --conversation");
    }
    refuse_to_run(flags, true);
    follower_ = std::make_unique<trace::Follower>(flags.file, log_);
    flags.scene.followed = flags.file;
    flags.scene.enough = [this] { follower_.reset(); };
  }

  void show_trace(const Flags& flags) {
    refuse_to_run(flags, false);
    const trace::FileContents contents = trace::load_file(flags.file, log_, flags.conversation);
    if (contents.messages == 0) {
      throw Error(ExitCode::kBadModel,
                  contents.damaged ? "is damaged from its beginning" : "holds nothing to show",
                  flags.file, "record it again with --trace");
    }
    tell(contents, flags);
    end_of_file();
  }

  static void tell(const trace::FileContents& contents, const Flags& flags) {
    const std::string how = contents.damaged ? " is damaged" : " ends";
    if (!contents.complete) say(flags.file + how + " in the middle; showing what is before");
    if (contents.conversations > 1 && flags.conversation == 0) {
      say(flags.file + " holds " + std::to_string(contents.conversations) +
          " conversations; showing --conversation " + std::to_string(contents.conversation));
    }
  }

  // A file that was cut off has no closing note: give it one, so that nobody waits for more.
  void end_of_file() {
    constexpr std::string_view kEnd = "end of the file";
    trace::append(log_, trace::Topic::kNote,
                  trace::NoteRecord{trace::NoteKind::kFinished, kEnd.size()},
                  std::span<const char>(kEnd));
  }

  trace::Log log_;
  std::vector<std::unique_ptr<trace::Log>> beside_;
  engine::Control control_;
  std::string model_name_;
  engine::SessionOptions session_;
  std::unique_ptr<trace::Server> server_;
  std::unique_ptr<trace::Follower> follower_;
  std::unique_ptr<engine::LoadedModel> model_;
  std::unique_ptr<engine::Inference> inference_;
};

// A model or a trace that somebody names in a window which was opened with these flags. A trace of
// the model that runs is run again by it.
std::shared_ptr<Source> open_another(const Flags& flags, const std::string& what,
                                     const Source* shown, render::commands::SceneOptions& scene) {
  for (const std::string& busy : {flags.trace_path, flags.serve}) {
    if (busy.empty()) continue;
    throw Error(ExitCode::kUsage, "cannot be opened while this window writes to " + busy, what,
                "start the program once more for it");
  }
  Flags other = flags;
  other.command = nullptr;
  other.file = what;
  other.model = shown != nullptr ? shown->writer_of(what) : std::string();
  other.structures.clear();
  other.follow = false;
  other.conversation = 0;
  if (!std::exchange(other.prompt_file, {}).empty()) other.prompt = flags.scene.generate.prompt;
  other.scene = {};
  other.scene.layout.true_proportions = flags.scene.layout.true_proportions;
  auto source = std::make_shared<Source>(other);
  scene = other.scene;
  return source;
}

// The commands, and what they share.
struct CommandLine {
  CLI::App app{
      "Fulgurite shows a language model thinking: lightning through a transformer, every light a "
      "measured number.",
      "fulgurite"};
  std::vector<std::string> commands;  // their names
  Flags flags;
  int exit_code = 0;

  CLI::App& add(const char* name, const char* what) {
    commands.emplace_back(name);
    return *app.add_subcommand(name, what);
  }
};

void add_view(CommandLine& line) {
  CLI::App& app = line.add("view", "open the window (the default)");
  const auto headless = std::make_shared<bool>(false);
  const auto video = std::make_shared<render::commands::RecordOptions>();
  Flags& flags = line.flags;
  add_scene(app, flags);
  add_serve(app, flags);
  app.add_flag("--headless", *headless, "no window: render a video, as record does");
  app.get_option("--panels")->needs("--headless");  // in the window, keys and buttons
  add_video(app, *video);
  for (const char* name : {"--output", "--fps", "--seconds"})
    app.get_option(name)->needs("--headless");
  app.add_option("--timings", flags.scene.timings,
                 "write what each frame of the window took to this file, one JSON object a line")
      ->excludes("--headless");
  app.callback([&line, &flags, headless, video] {
    auto source = std::make_shared<Source>(flags, std::vector{video->output, flags.scene.timings});
    if (!source->address().empty()) say("others can watch: fulgurite view " + source->address());
    if (*headless) {
      video->scene = flags.scene;
      line.exit_code = source->finished(render::commands::record(*video));
      return;
    }
    std::weak_ptr<Source> shown = source;
    render::commands::view({flags.scene, source}, [&](const std::string& what) {
      render::commands::Shown another;
      const auto next = open_another(flags, what, shown.lock().get(), another.options);
      require_readable(another.options);
      another.owner = next;
      shown = next;
      source.reset();  // the window's alone: it wrote no file
      return another;
    });
    if (source) source->finished(0);
  });
}

void add_record(CommandLine& line) {
  CLI::App& app = line.add("record", "render a video, with or without a display");
  const auto video = std::make_shared<render::commands::RecordOptions>();
  add_scene(app, line.flags);
  add_video(app, *video);
  app.add_option("--frame-hashes", video->frame_hashes, "write one hash a frame to this file");
  app.add_flag("--headless")->description("no window; recordings never open one");
  app.callback([&line, video] {
    Source source(line.flags, {video->output, video->frame_hashes});
    video->scene = line.flags.scene;
    line.exit_code = source.finished(render::commands::record(*video));
  });
}

void add_shot(CommandLine& line) {
  CLI::App& app = line.add("shot", "render one picture (PNG)");
  const auto still = std::make_shared<render::commands::ShotOptions>();
  add_scene(app, line.flags);
  app.add_option("-o,--output", still->output, "the picture")->capture_default_str();
  app.add_option(
      "--at", still->at,
      "the playhead, in forward steps: 0 is the prompt, 3.5 half-way through the third token");
  app.add_option("--zoom", line.flags.scene.zoom, "with --zoom-to: share of the way, 0 to 1")
      ->check(between(0.0, 1.0))
      ->needs("--zoom-to");
  app.add_flag("--headless")->description("no window; shots never open one");
  app.callback([&line, still] {
    Source source(line.flags, {still->output});
    still->scene = line.flags.scene;
    line.exit_code = source.finished(render::commands::shot(*still));
  });
}

void add_bench_render(CommandLine& line) {
  CLI::App& app = line.add("bench-render", "measure how fast frames are drawn");
  const auto frames = std::make_shared<render::commands::BenchRenderOptions>();
  add_scene(app, line.flags);
  app.add_option("--frames", frames->frames, "how many")
      ->check(CLI::Range(1U, 100000U))
      ->capture_default_str();
  app.add_flag("--full-quality", frames->full_quality,
               "as record and shot draw, not as a window does");
  app.add_option("-o,--output", frames->picture,
                 "save the frame in the middle, as it was measured (PNG)");
  app.add_flag("--json", frames->json, "as JSON");
  app.callback([&line, frames] {
    Flags& flags = line.flags;
    // The built-in model can do better than a synthetic trace: it writes.
    if (flags.structures == std::vector<std::string>{"builtin"}) flags.structures.clear();
    if (!flags.structures.empty()) flags.synthetic = true;
    Source source(flags, {frames->picture});
    std::unique_ptr<engine::commands::Writing> writing;
    if (source.model() != nullptr) {
      writing = std::make_unique<engine::commands::Writing>(*source.model(), flags.scene.generate,
                                                            source.session());
      frames->meanwhile = std::ref(*writing);
    }
    frames->scene = flags.scene;
    line.exit_code = source.finished(render::commands::bench_render(*frames));
  });
}

int run_program(int argc, char** argv) {
  CommandLine line;
  line.app.set_version_flag("-V,--version", std::string(trace::kProgram));
  line.app.require_subcommand(1);
  line.flags.prompt = "ROMEO:";
  const auto add = [&line](const char* name, const char* what) -> CLI::App& {
    return line.add(name, what);
  };
  const auto builtin = assets::builtin_model();
  add_view(line);
  add_record(line);
  add_shot(line);
  engine::commands::add_running(add, line.flags, builtin, line.exit_code);
  engine::commands::add_readings(add, line.flags, builtin, line.exit_code);
  engine::commands::add_files(add, builtin, line.exit_code);
  add_bench_render(line);

  std::vector<std::string> words = engine::commands::words_of(argc, argv, line.commands);
  const std::string help = " (try: fulgurite " + (words.empty() ? "" : words[0]) + " --help)";
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    line.app.parse(words);
  } catch (const CLI::CallForHelp&) {
    std::cout << line.app.help();
  } catch (const CLI::CallForVersion&) {
    std::cout << line.app.version() << '\n';
  } catch (const CLI::ParseError& error) {
    const auto rest = line.app.remaining(true);  // which CLI11 tells backwards
    say((rest.empty() ? error.what() : engine::commands::not_expected(line.app, rest)) + help);
    return static_cast<int>(ExitCode::kUsage);
  }
  return line.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  engine::keep_standard_streams();
  engine::ignore_failing_writes();
  try {
    const int exit_code = run_program(argc, argv);
    if (exit_code == engine::kReaderIsGone) engine::end_without_reader();
    if (exit_code != 0 || (std::cout.flush() && std::fflush(stdout) == 0 && !std::ferror(stdout))) {
      return exit_code;
    }
    if (engine::reader_is_gone()) engine::end_without_reader();
    say("stdout: cannot be written: what was printed is not complete");
  } catch (const Error& error) {
    const bool of_stdout = error.where() == "stdout" || error.where() == "/dev/stdout";
    if (of_stdout && engine::reader_is_gone()) engine::end_without_reader();
    say(error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    say("there is not enough memory");
  } catch (const std::exception& error) {
    say(error.what());
  }
  return static_cast<int>(ExitCode::kFailed);
}
