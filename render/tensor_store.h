// The numbers behind the sheets: asks the engine for tiles, keeps what came in a bounded store.
// Main thread. No Vulkan: Stage hands what is fresh to the renderer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <glm/glm.hpp>

#include "engine/control.h"
#include "engine/trace/reader.h"
#include "render/scene/tile_cache.h"

namespace render {

// What is known of a whole sheet.
struct SheetFacts {
  float min = 0.0F, max = 0.0F, mean = 0.0F;
  float scale = 0.0F;     // value of full colour, which about one cell in a hundred exceeds; > 0
  float read = 0.0F;      // share that has been read
  uint32_t position = 0;  // of a tap
  std::string formula;
};

class TensorStore {
 public:
  explicit TensorStore(uint32_t slots);

  struct Now {
    const trace::Reader& reader;
    engine::Control* control;  // null: nobody answers
    uint32_t position;         // whose taps are wanted
  };

  // Once a frame: takes in answers, then asks for what is wanted and not there, coarsest first.
  // sheets and wanted as scene::wanted_tiles() has them.
  void update(const Now& now, const std::vector<scene::Sheet>& sheets, const scene::Wanted& wanted);

  struct Found {
    uint32_t slot;
    int level;
    glm::uvec2 at;
    bool partial;
  };
  // The tile, or the nearest ancestor that is there.
  std::optional<Found> find(const scene::Sheet& sheet, const scene::Pyramid& pyramid, int level,
                            glm::uvec2 at) const;
  // (minimum, mean, maximum, 0), kTileTexels a row.
  const std::vector<glm::vec4>& texels(uint32_t slot) const { return slots_[slot].texels; }
  // A cell's own number, if its tile of the finest level is there.
  std::optional<float> value(const scene::Sheet& sheet, const scene::CellRef& cell) const;

  // Nothing while its coarsest tile has not come; why there are no numbers, else.
  const SheetFacts* facts(const scene::SheetId& sheet) const;
  const std::string* missing(const scene::Sheet& sheet) const;

  // Slots that have new texels since the last call.
  std::vector<uint32_t> take_fresh() { return std::exchange(fresh_, {}); }
  // Answers are on their way, or something wanted could not be asked for yet.
  bool waiting() const { return !asked_.empty() || backlog_; }

 private:
  // Positions are what they were as long as neither has grown.
  struct Era {
    uint64_t conversation = 0;
    uint64_t continuation = 0;
    bool operator==(const Era&) const = default;
  };
  static Era era_of(const trace::Reader& reader) {
    return {reader.conversation(), reader.continuation()};
  }
  struct Slot {
    std::vector<glm::vec4> texels;
    uint32_t position = 0;
    Era era;
    bool partial = false;
  };
  struct Asked {
    uint64_t request;
    scene::TileKey key;
    scene::Sheet sheet;
    uint32_t position;
  };

  void take(const trace::Reader& reader);
  void put(const Asked& asked, const trace::TileAnswer& answer);
  bool current(const Now& now, const scene::Sheet& sheet, uint32_t slot) const;

  scene::TileCache cache_;
  std::vector<Slot> slots_;
  std::vector<Asked> asked_;
  std::map<scene::SheetId, SheetFacts> facts_;
  struct Missing {
    uint32_t position;
    std::string why;
  };
  std::map<scene::SheetId, Missing> missing_;
  std::vector<uint32_t> fresh_;
  uint64_t next_request_ = 1;
  Era era_;
  bool backlog_ = false;
};

}  // namespace render
