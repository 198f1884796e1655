#include "render/commands/options.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <sstream>
#include <thread>

#include "model/error.h"
#include "render/bookmarks.h"
#include "render/scene/node_path.h"
#include "render/scene/tensors.h"
#include "render/scene/text.h"

namespace render::commands {

using fulgurite::Error;
using fulgurite::ExitCode;

void set_size(const std::string& text, SceneOptions& options) {
  int used = 0;
  unsigned w = 0;
  unsigned h = 0;
  constexpr unsigned kLeast = 64;
  constexpr unsigned kMost = 16384;
  if (std::sscanf(text.c_str(), "%5ux%5u%n", &w, &h, &used) != 2 ||
      static_cast<size_t>(used) != text.size() || std::min(w, h) < kLeast ||
      std::max(w, h) > kMost) {
    throw Error(ExitCode::kUsage, "'" + text + "' is no size", "--window-size",
                "WIDTHxHEIGHT, e.g. 1280x720, 64 to 16384 each");
  }
  options.width = w;
  options.height = h;
}

namespace {

struct Switch {
  const char* name;
  bool& on;
};

std::array<Switch, 5> switches_of(Look& look) {
  return {{{"legend", look.panels.legend},
           {"meanings", look.panels.meanings},
           {"text", look.panels.text},
           {"inspector", look.panels.inspector},
           {"labels", look.labels}}};
}

}  // namespace

std::string panel_names() {
  Look look;
  std::string names;
  for (const Switch& one : switches_of(look)) {
    names.append(names.empty() ? "" : ",").append(one.name);
  }
  return names;
}

void set_panels(const std::string& list, SceneOptions& options) {
  const auto switches = switches_of(options.look);
  for (const Switch& one : switches) one.on = false;
  if (list == "none") return;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    const auto named = [&](const Switch& one) { return one.name == word; };
    const auto found = std::find_if(switches.begin(), switches.end(), named);
    if (found == switches.end()) {
      throw Error(ExitCode::kUsage, "there is no panel '" + word + "'", "--panels",
                  panel_names() + ", or none");
    }
    found->on = true;
  }
}

namespace {

volatile std::sig_atomic_t interrupts = 0;
volatile std::time_t interrupted_at = 0;

// A second wish, seconds later, does not wait for whoever hangs.
void interrupt(int signal) {
  constexpr std::time_t kSameWish = 2;
  const std::time_t now = std::time(nullptr);
  if (interrupts != 0 && now - interrupted_at >= kSameWish) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  if (interrupts == 0) interrupted_at = now;
  interrupts = 1;
}

}  // namespace

void watch_for_interrupts() {
  interrupts = 0;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // nohup has it ignored.
    if (std::signal(signal, interrupt) == SIG_IGN && signal == SIGHUP) std::signal(signal, SIG_IGN);
  }
}

bool interrupted() {
  return interrupts != 0;
}

namespace {

constexpr std::chrono::milliseconds kLook{2};
constexpr int kStill = 100;  // looks

// Says, when it takes longer, what is waited for.
class Waiting {
 public:
  explicit Waiting(std::string what) : what_(std::move(what)) {}
  void look() {
    std::this_thread::sleep_for(kLook);
    if (what_.empty() || ++looks_ != kLong) return;
    std::fprintf(stderr, "waiting for %s\n", what_.c_str());
  }

 private:
  static constexpr int kLong = 500;
  std::string what_;
  int looks_ = 0;
};

}  // namespace

bool begin(const SceneOptions& options, Stage& stage, const std::function<bool()>& wanted) {
  const trace::Reader& reader = stage.reader();
  Waiting waiting(options.followed);
  for (stage.poll(); !stage.ready(); stage.poll()) {
    if (reader.finished() || reader.failed() || interrupted()) break;
    if (!wanted()) return false;
    waiting.look();
  }
  if (interrupted())
    throw Error(ExitCode::kFailed, "interrupted before there was anything to draw");
  if (!stage.ready() && reader.failed())
    throw Error(ExitCode::kBadModel, std::string(reader.note()));
  if (!stage.ready()) {
    throw Error(ExitCode::kBadModel, "there is nothing to show", "trace", "it describes no model");
  }
  first_pose(options, stage, 1.0F);
  selected_node(options, stage.layout());
  zoom_cell(options, stage.layout());
  if (options.control == nullptr) return true;
  if (options.replay) {
    options.control->post(*options.replay);
  } else {
    options.control->post(options.generate);
  }
  return true;
}

void run_to_end(const SceneOptions& options, Stage& stage) {
  begin(options, stage, [] { return true; });
  const trace::Reader& reader = stage.reader();
  // Behind the end of a conversation that has just come there may be another one on its way.
  const int most_still = options.followed.empty() ? 0 : kStill;
  Waiting waiting(options.followed.empty()
                      ? ""
                      : "the end of " + options.followed + "; Ctrl-C takes what has come");
  // Of what another process writes a prompt that is refused while another one runs ends nothing.
  const auto ended = [&] {
    const bool refused = reader.note_kind() == trace::NoteKind::kError &&
                         reader.conversation() > 0 && !options.followed.empty();
    return reader.finished() || (reader.failed() && !refused);
  };
  for (int still = 0; !interrupted(); ++still) {
    if (stage.poll()) still = 0;
    if (ended() && still >= most_still) break;
    waiting.look();
  }
  if (options.enough) options.enough();
  // The end of something that stands still is not waited for; what is drawn of it can be ended
  // anew.
  if (!options.followed.empty() && interrupted() && reader.steps() > 0) {
    watch_for_interrupts();
    return;
  }
  if (options.replay && reader.finished() && !reader.failed())
    std::fprintf(stderr, "%s\n", scene::visible_text(reader.note()).c_str());
  if (interrupted() && !reader.finished())
    throw Error(ExitCode::kFailed, "interrupted before there was anything to draw");
  // What a trace holds can be drawn although a later prompt of it was refused.
  if (reader.failed() && options.control == nullptr && reader.steps() > 0) {
    std::fprintf(stderr, "the trace says: %s\n", scene::visible_text(reader.note()).c_str());
  } else if (reader.failed()) {
    const trace::NoteKind kind = reader.note_kind();
    throw Error(kind == trace::NoteKind::kError         ? ExitCode::kUsage
                : kind == trace::NoteKind::kModelFailed ? ExitCode::kBadModel
                                                        : ExitCode::kFailed,
                std::string(reader.note()));
  }
  if (reader.steps() == 0 && !stage.layout().options().brackets) {
    throw Error(ExitCode::kBadModel, "there is nothing to show", "trace",
                "it holds no forward step");
  }
}

scene::Pose first_pose(const SceneOptions& options, const Stage& stage, float aspect,
                       double playhead) {
  const std::string& name = options.camera;
  std::optional<scene::Pose> pose;
  if (name.size() == 2 && name[0] == '@' && name[1] >= '1' && name[1] <= '9') {
    const Bookmarks bookmarks(bookmarks_path(stage.layout().model().weights_hash));
    pose = bookmarks.get(static_cast<size_t>(name[1] - '0'));
    if (!pose) {
      throw Error(ExitCode::kUsage, "there is no bookmark " + name.substr(1) + " of this model",
                  "--camera", "in the window, Ctrl+" + name.substr(1) + " sets it");
    }
  } else {
    std::optional<uint32_t> layer;
    if (const uint32_t selected = selected_node(options, stage.layout()); selected > 0) {
      const scene::NodeRef ref = stage.layout().ref(selected - 1);
      if (scene::in_a_layer(ref.kind)) layer = ref.layer;
    }
    pose = scene::named_pose(name, stage.layout(), stage.columns_in_view(), aspect,
                             stage.now(playhead), layer);
  }
  if (pose) {
    scene::Camera camera{*pose};
    camera.keep_near(stage.layout().bounds(stage.layout().columns()));
    // The inspector stands on the right: make room.
    if (!options.select.empty() && options.look.panels.inspector) {
      camera.pose.distance *= 1.12F;
      camera.pan({-0.08F * aspect, 0.0F}, 1.0F);
    }
    return camera.pose;
  }
  throw Error(ExitCode::kUsage, "there is no view '" + name + "'", "--camera", kViews);
}

std::optional<scene::CellRef> zoom_cell(const SceneOptions& options, const scene::Layout& layout) {
  if (options.zoom_to.empty()) return {};
  const auto cell = scene::find_cell(layout, options.zoom_to);
  if (cell) return cell;
  throw Error(ExitCode::kUsage, "there is no value '" + options.zoom_to + "' in the scene",
              "--zoom-to",
              "TENSOR[ROW,COLUMN], e.g. blk.0.attn_q.weight[17,20] or token_embd.weight[65,0]");
}

uint32_t selected_node(const SceneOptions& options, const scene::Layout& layout) {
  if (options.select.empty()) return 0;
  const auto node = scene::find_node(options.select, layout);
  if (!node) {
    throw Error(ExitCode::kUsage, "there is no node '" + options.select + "'", "--select",
                "L3.H1 is head 1 of layer 3, L3.F20 neuron 20, L3.K0.5 position 5 of KV head 0, "
                "L3.A and L3.M what attention and FFN add, L3.R the router of a mixture, L3.E5 "
                "expert 5, C0 the likeliest candidate, T5 a token");
  }
  if (options.tensor.empty()) return *node + 1;
  const auto tensors = scene::tensors_of(layout, layout.ref(*node), 0, 0);
  std::string names;
  for (const scene::TensorName& tensor : tensors) {
    if (scene::is_called(tensor, options.tensor)) return *node + 1;
    names.append(names.empty() ? "" : ", ").append(tensor.name);
  }
  throw Error(ExitCode::kUsage, options.select + " has no tensor '" + options.tensor + "'",
              "--tensor", names);
}

void select_named(const SceneOptions& options, const scene::Layout& layout, View& view) {
  view.selected = selected_node(options, layout);
  view.whole_expert = scene::names_expert(options.select) ? view.selected : 0;
}

void require_readable(const SceneOptions& options) {
  if (options.control != nullptr) return;
  constexpr int kLooks = 1500;
  trace::Reader reader(*options.log);
  for (int i = 0; i < kLooks; ++i) {
    reader.poll();
    if (reader.described() || options.followed.empty()) break;
    if (reader.failed()) throw Error(ExitCode::kBadModel, std::string(reader.note()));
    std::this_thread::sleep_for(kLook);
  }
  if (!reader.described())
    throw Error(ExitCode::kBadModel, "there is nothing to show", "trace", "it describes no model");
}

}  // namespace render::commands
