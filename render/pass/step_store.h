// What happened during each step, on the GPU: Light and Bolt records, uploaded once per step.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "render/gpu/range_allocator.h"
#include "render/pass/pass.h"
#include "shaders/shared.h"

namespace render {

// Consecutive records in one of the two buffers.
struct RecordRange {
  uint32_t first = 0;
  uint32_t count = 0;
};

// One growing buffer of records with a range per step.
class RecordBuffer {
 public:
  RecordBuffer(PassContext& context, uint32_t record_bytes, const char* name);

  // False: no room within max_records.
  bool place(std::span<const std::byte> records, uint32_t max_records, RecordRange& out);
  void remove(RecordRange range) { ranges_.free(range.first, range.count); }
  VkBuffer handle() const noexcept { return buffer_.handle(); }

 private:
  PassContext& context_;
  uint32_t record_bytes_;
  const char* name_;
  gpu::Buffer buffer_;
  gpu::RangeAllocator ranges_;
};

class StepStore {
 public:
  // max_bytes: of either kind; a single step that needs more still gets it.
  StepStore(PassContext& context, uint64_t max_bytes);

  void put(uint64_t step, std::span<const shaders::Light> lights,
           std::span<const shaders::Bolt> bolts);
  bool has(uint64_t step) const { return steps_.contains(step); }
  void drop(uint64_t first, uint64_t last);

  // The ranges of the steps [first, last] that are there, by blocks of which one may be alive in
  // this frame, neighbours joined: a script goes layer by layer, and few layers are lit at once.
  std::vector<RecordRange> lights(uint64_t first, uint64_t last, const shaders::Frame& frame) const;
  // The same of bolts. Where several steps are shown as one climb, those of its newest step only.
  std::vector<RecordRange> bolts(uint64_t first, uint64_t last, const shaders::Frame& frame) const;
  // Where the bolts of each step lie in the buffer.
  struct Place {
    uint64_t step;
    RecordRange range;
  };
  std::vector<Place> bolt_places() const;
  VkBuffer light_buffer() const noexcept { return lights_.handle(); }
  VkBuffer bolt_buffer() const noexcept { return bolts_.handle(); }

 private:
  // Neighbours in a step's script: from the first instant to the last, none living longer.
  struct Block {
    float first = 0.0F;
    float last = 0.0F;
    float longest = 0.0F;
    bool alive(const shaders::Frame& frame) const;
  };
  struct Records {
    RecordRange range;
    std::vector<Block> blocks;
  };
  struct Step {
    Records lights;
    Records bolts;
  };
  template <typename T>
  static std::vector<Block> blocks_of(std::span<const T> records, uint32_t block);
  // Adds those that may be alive.
  static void join_alive(std::vector<RecordRange>& ranges, const Records& records, uint32_t block,
                         const shaders::Frame& frame);
  void remove(std::map<uint64_t, Step>::iterator it);
  void place(RecordBuffer& buffer, std::span<const std::byte> records, uint32_t record_bytes,
             uint64_t step, RecordRange& out);

  uint64_t max_bytes_;
  RecordBuffer lights_;
  RecordBuffer bolts_;
  std::map<uint64_t, Step> steps_;
};

}  // namespace render
