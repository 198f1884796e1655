#include "engine/structure/structure.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "engine/detail.h"
#include "engine/model_name.h"
#include "engine/structure/published.h"
#include "model/error.h"
#include "model/format/hf_folder.h"

namespace engine {

using fulgurite::Error;
using fulgurite::ExitCode;

namespace {

constexpr int64_t kSlots = 1 << 21;     // of all layers and lanes together
constexpr int64_t kFewest = 64;         // positions
constexpr int64_t kMost = 128;          // enough for a picture
constexpr int64_t kExpertCells = 2048;  // cells of a storey of a mixture, about

uint32_t u32(int64_t n) {
  return static_cast<uint32_t>(n);
}

// Cells of an FFN plate: of 32 neurons each, or whole fractions of an expert.
int64_t cells_of(const model::Config& c) {
  if (c.n_expert == 0) return Detail(c, trace::Level::kLive).buckets;
  int64_t cells = buckets_of_mixture(c.neurons(), c.n_ff, c.n_ff_shared);
  while (cells * 2 <= kExpertCells && c.neurons() % (cells * 2) == 0 &&
         c.n_ff % (c.neurons() / (cells * 2)) == 0 &&
         c.n_ff_shared % (c.neurons() / (cells * 2)) == 0) {
    cells *= 2;
  }
  return cells;
}

// where: the file, as errors show it.
trace::Model described(const model::Config& c, std::string name, uint64_t parameters,
                       const std::string& where) {
  constexpr int64_t kMostNeurons = 1 << 26;  // beyond which 32 bits may not hold them
  trace::Model model = describe(c, std::move(name));
  trace::ModelRecord& r = model.record;
  const int64_t fit = kSlots / (c.n_layer * c.n_head_kv) / kFewest * kFewest;
  r.context = u32(std::min(c.n_ctx, std::clamp(fit, kFewest, kMost)));
  r.buckets = u32(cells_of(c));
  r.parameters = parameters;
  if (c.neurons() > kMostNeurons || !trace::makes_sense(r) ||
      !trace::makes_sense(model.structure, r)) {
    throw Error(ExitCode::kBadModel, "is a model too large to be drawn", where,
                "up to 4096 layers, in all 262,144 heads and 2 million cells of neurons");
  }
  return model;
}

trace::Model described(const PublishedShape& shape) {
  return described(shape.config, std::string(shape.title), count_parameters(shape.config),
                   std::string(shape.name));
}

trace::Model described(const model::ModelFile& file) {
  const model::Config c = model::read_config(file);
  uint64_t parameters = 0;
  for (const model::Tensor& tensor : file.tensors()) {
    parameters += static_cast<uint64_t>(tensor.elements());
  }
  const std::string name =
      c.name.empty() ? std::filesystem::path(file.name()).stem().string() : c.name;
  return described(c, name, parameters, file.name());
}

}  // namespace

trace::StructureRecord structure_record(const model::Config& c) {
  trace::StructureRecord s;
  if (c.parallel) s.flags |= trace::kStructureParallel;
  if (c.post_norms) s.flags |= trace::kStructurePostNorms;
  if (c.gated()) s.flags |= trace::kStructureGated;
  s.flags |= c.ffn == model::FfnKind::kSiluGated       ? trace::kStructureSilu
             : c.ffn == model::FfnKind::kClampedSwiglu ? trace::kStructureClampedSwiglu
                                                       : trace::kStructureGelu;
  if (c.sinks) s.flags |= trace::kStructureSinks;
  if (c.temperature_scale != 0.0F) s.flags |= trace::kStructureTempered;
  if (c.n_expert > 0 && c.router_biased()) s.flags |= trace::kStructureRouterBias;
  if (c.tied) s.flags |= trace::kStructureTied;
  if (c.learned_positions) s.flags |= trace::kStructurePositions;
  if (c.qk_norm == model::QkNorm::kHead) s.flags |= trace::kStructureHeadNorms;
  if (c.qk_norm == model::QkNorm::kProjection) s.flags |= trace::kStructureProjectionNorms;
  if (c.qk_norm == model::QkNorm::kRotatedHead)
    s.flags |= trace::kStructureHeadNorms | trace::kStructureProjectionNorms;
  if (c.attention_biased()) s.flags |= trace::kStructureBiases;
  if (c.ffn_biased()) s.flags |= trace::kStructureFfnBiases;
  if (c.heads_biased()) s.flags |= trace::kStructureHeadBiases;
  if (c.root_scale()) s.flags |= trace::kStructureRootScale;
  if (c.score_soft_cap > 0.0F) s.flags |= trace::kStructureScoreCap;
  if (c.final_soft_cap > 0.0F) s.flags |= trace::kStructureLogitCap;
  if (c.rope != model::RopeKind::kNone) s.flags |= trace::kStructureRotated;
  if (c.router == model::RouterKind::kSigmoid) s.flags |= trace::kStructureSigmoidRouter;
  if (c.choice_biased) s.flags |= trace::kStructureChoiceBias;
  if (c.expert_scale != 1.0F) s.flags |= trace::kStructureScaledExperts;
  if (c.n_ff_shared > 0 && !c.shared_gated) s.flags |= trace::kStructureSharedWhole;
  if (c.n_expert > 0 && c.expert_renormalise) s.flags |= trace::kStructureRenormalised;
  if (c.embedding_scale != 1.0F) s.flags |= trace::kStructureScaledEmbedding;
  if (c.head_biased) s.flags |= trace::kStructureOutputBias;
  if (c.rope_period > 0) s.flags |= trace::kStructureSomeRotated;
  if (!c.pre_norms) s.flags |= trace::kStructureBareReads;
  if (c.update_scale != 1.0F) s.flags |= trace::kStructureScaledUpdates;
  if (c.logit_scale != 1.0F) s.flags |= trace::kStructureScaledLogits;
  s.trained_context = u32(c.n_ctx);
  s.query_width = u32(c.n_head * c.mix_width());
  s.kv_width = u32(c.cached_width());
  s.window = u32(c.window);
  s.window_period = u32(std::max<int64_t>(c.window_period, 1));
  if (c.window_period == 1) s.window = 0;  // no layer has it
  if (c.n_expert > 0) {
    s.experts = u32(c.n_expert);
    s.experts_used = u32(c.n_expert_used);
    s.expert_neurons = u32(c.n_ff);
    s.shared_neurons = u32(c.n_ff_shared);
    s.dense_layers = u32(c.dense_layers);
    s.dense_neurons = u32(c.n_ff_dense);
  }
  return s;
}

trace::Model describe(const model::Config& c, std::string name) {
  trace::Model model{{}, structure_record(c), std::move(name), c.arch, {}};
  trace::ModelRecord& r = model.record;
  r.layers = u32(c.n_layer);
  r.width = u32(c.n_embd);
  r.heads = u32(c.n_head);
  r.kv_heads = u32(c.n_head_kv);
  r.head_width = u32(c.head_dim);
  r.neurons = u32(c.neurons());
  r.vocabulary = u32(c.n_vocab);
  return model;
}

std::string structure_names() {
  std::string names = kBuiltin;
  for (const PublishedShape& shape : published_shapes()) names += ", " + std::string(shape.name);
  return names;
}

trace::Model find_structure(const std::string& what, const ModelSource& builtin) {
  if (what == kBuiltin) return described(open_model_file({{}, builtin.builtin}));
  for (const PublishedShape& shape : published_shapes()) {
    if (shape.name == what) return described(shape);
  }
  std::error_code ignored;
  const std::filesystem::path path(what);
  if (path.extension() == ".json" || model::is_hf_folder(what)) {
    const model::Config c = model::open_hf_config(what);
    const std::filesystem::path folder =
        std::filesystem::absolute(path.extension() == ".json" ? path.parent_path() : path, ignored);
    const std::string name = folder.has_filename() ? folder.filename().string()
                                                   : folder.parent_path().filename().string();
    return described(c, name, count_parameters(c), what);
  }
  const bool plain = what.find_first_of("./:") == std::string::npos;
  if (plain && !std::filesystem::exists(path, ignored)) {
    throw Error(ExitCode::kUsage, "there is no structure '" + what + "'", "--structure",
                structure_names() + ", or a GGUF file or a config.json");
  }
  return described(open_model_file({what, {}}));
}

void write_description(const trace::Model& model, trace::Log& log) {
  trace::ModelRecord record = model.record;
  record.name_bytes = u32(static_cast<int64_t>(model.name.size()));
  record.architecture_bytes = u32(static_cast<int64_t>(model.architecture.size()));
  record.quantisation_bytes = u32(static_cast<int64_t>(model.quantisation.size()));
  const auto chars = [](const std::string& s) { return std::span<const char>(s); };
  trace::append(log, trace::Topic::kModel, record, chars(model.name), chars(model.architecture),
                chars(model.quantisation));
  trace::append(log, trace::Topic::kStructure, model.structure);
}

void write_structure(const trace::Model& model, trace::Log& log) {
  write_description(model, log);
  trace::append(log, trace::Topic::kStart, trace::StartRecord{});
  constexpr std::string_view kEnd = "a structure, without weights";
  trace::append(log, trace::Topic::kNote,
                trace::NoteRecord{trace::NoteKind::kFinished, kEnd.size()},
                std::span<const char>(kEnd));
}

}  // namespace engine
