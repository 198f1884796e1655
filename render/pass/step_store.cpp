#include "render/pass/step_store.h"

#include <algorithm>
#include <cmath>

namespace render {
namespace {

constexpr uint32_t kFirstRecords = 4096;
constexpr uint32_t kLightBlock = 256;  // records
constexpr uint32_t kBoltBlock = 16;

void join(std::vector<RecordRange>& ranges, RecordRange range) {
  if (range.count == 0) return;
  if (!ranges.empty() && ranges.back().first + ranges.back().count == range.first) {
    ranges.back().count += range.count;
  } else {
    ranges.push_back(range);
  }
}

}  // namespace

RecordBuffer::RecordBuffer(PassContext& context, uint32_t record_bytes, const char* name)
    : context_(context), record_bytes_(record_bytes), name_(name), ranges_(kFirstRecords) {
  buffer_ = gpu::Buffer(context.device, uint64_t{kFirstRecords} * record_bytes,
                        VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                            VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        gpu::Memory::kDevice, name);
}

bool RecordBuffer::place(std::span<const std::byte> records, uint32_t max_records,
                         RecordRange& out) {
  const auto count = static_cast<uint32_t>(records.size() / record_bytes_);
  auto offset = ranges_.allocate(count);
  if (!offset) {
    const uint64_t enough = ranges_.size() + count;
    if (enough > max_records && ranges_.used() != 0) return false;
    const uint64_t size = std::max(enough, std::min<uint64_t>(ranges_.size() * 2, max_records));
    gpu::Buffer larger(context_.device, size * record_bytes_,
                       VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                           VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                       gpu::Memory::kDevice, name_);
    context_.uploader.move(std::move(buffer_), larger, ranges_.size() * record_bytes_);
    buffer_ = std::move(larger);
    ranges_.grow(size);
    offset = ranges_.allocate(count);
  }
  out = {static_cast<uint32_t>(*offset), count};
  context_.uploader.write(buffer_, *offset * record_bytes_, records);
  return true;
}

StepStore::StepStore(PassContext& context, uint64_t max_bytes)
    : max_bytes_(max_bytes),
      lights_(context, sizeof(shaders::Light), "lights"),
      bolts_(context, sizeof(shaders::Bolt), "bolts") {}

void StepStore::put(uint64_t step, std::span<const shaders::Light> lights,
                    std::span<const shaders::Bolt> bolts) {
  if (const auto it = steps_.find(step); it != steps_.end()) remove(it);
  Step placed;
  placed.lights.blocks = blocks_of(lights, kLightBlock);
  placed.bolts.blocks = blocks_of(bolts, kBoltBlock);
  place(lights_, std::as_bytes(lights), sizeof(shaders::Light), step, placed.lights.range);
  place(bolts_, std::as_bytes(bolts), sizeof(shaders::Bolt), step, placed.bolts.range);
  steps_[step] = std::move(placed);
}

void StepStore::place(RecordBuffer& buffer, std::span<const std::byte> records,
                      uint32_t record_bytes, uint64_t step, RecordRange& out) {
  const auto max_records = static_cast<uint32_t>(max_bytes_ / record_bytes);
  while (!buffer.place(records, max_records, out)) {
    const auto first = steps_.begin(), last = std::prev(steps_.end());
    const uint64_t before = step > first->first ? step - first->first : 0;
    const uint64_t after = last->first > step ? last->first - step : 0;
    remove(before > after ? first : last);
  }
}

void StepStore::remove(std::map<uint64_t, Step>::iterator it) {
  lights_.remove(it->second.lights.range);
  bolts_.remove(it->second.bolts.range);
  steps_.erase(it);
}

void StepStore::drop(uint64_t first, uint64_t last) {
  for (auto it = steps_.lower_bound(first); it != steps_.end() && it->first <= last;) {
    const auto here = it++;
    remove(here);
  }
}

template <typename T>
std::vector<StepStore::Block> StepStore::blocks_of(std::span<const T> records, uint32_t size) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < records.size(); ++i) {
    const T& record = records[i];
    if (i % size == 0) blocks.push_back({record.instant, record.instant, 0.0F});
    Block& block = blocks.back();
    block.first = std::min(block.first, record.instant);
    block.last = std::max(block.last, record.instant);
    block.longest = std::max(block.longest, std::abs(record.life));
  }
  return blocks;
}

bool StepStore::Block::alive(const shaders::Frame& frame) const {
  const float merge = std::max(frame.merge, 1.0F);
  const float life = std::max(longest * merge, frame.shortest_life);
  return shaders::shown_instant(first, merge) <= frame.playhead &&
         frame.playhead < shaders::shown_instant(last, merge) + life;
}

void StepStore::join_alive(std::vector<RecordRange>& ranges, const Records& records, uint32_t size,
                           const shaders::Frame& frame) {
  for (uint32_t b = 0; b < records.blocks.size(); ++b) {
    if (!records.blocks[b].alive(frame)) continue;
    const uint32_t begin = b * size;
    join(ranges, {records.range.first + begin, std::min(size, records.range.count - begin)});
  }
}

std::vector<RecordRange> StepStore::lights(uint64_t first, uint64_t last,
                                           const shaders::Frame& frame) const {
  std::vector<RecordRange> ranges;
  for (auto it = steps_.lower_bound(first); it != steps_.end() && it->first <= last; ++it)
    join_alive(ranges, it->second.lights, kLightBlock, frame);
  return ranges;
}

std::vector<RecordRange> StepStore::bolts(uint64_t first, uint64_t last,
                                          const shaders::Frame& frame) const {
  std::vector<RecordRange> ranges;
  for (auto it = steps_.lower_bound(first); it != steps_.end() && it->first <= last; ++it) {
    const auto climb = [&](uint64_t number) {
      return shaders::climb_of(static_cast<float>(number), frame.merge);
    };
    if (frame.merge > 1.0F && it->first < last && climb(it->first) == climb(it->first + 1))
      continue;
    join_alive(ranges, it->second.bolts, kBoltBlock, frame);
  }
  return ranges;
}

std::vector<StepStore::Place> StepStore::bolt_places() const {
  std::vector<Place> places;
  for (const auto& [step, placed] : steps_) places.push_back({step, placed.bolts.range});
  return places;
}

}  // namespace render
