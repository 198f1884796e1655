// A damaged trace that the reader accepts is still only a picture: nothing it says may lead
// the scene outside its own tables.
#include <gtest/gtest.h>

#include <random>

#include "engine/trace/reader.h"
#include "model/error.h"
#include "render/scene/choreography.h"
#include "render/scene/muted.h"
#include "render/scene/node_meaning.h"
#include "tests/support/trace_builder.h"

namespace {

TEST(HostileTrace, WhatTheReaderAcceptsCanBeShown) {
  trace::Log original;
  tests::TraceBuilder builder(original, tests::small_model());
  builder.describe();
  builder.start();
  builder.muted({{trace::MutedKind::kHead, 1, 2}, {trace::MutedKind::kNeuron, 0, 59}});
  builder.step(3);
  builder.step();
  std::vector<std::pair<trace::Topic, std::vector<std::byte>>> messages;
  trace::Cursor cursor(original);
  for (trace::Message m; cursor.next(m);) {
    messages.emplace_back(m.topic, std::vector(m.payload.begin(), m.payload.end()));
  }

  std::mt19937 random(3);
  int shown = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    trace::Log log;
    trace::Reader reader(log);
    // Often the model's description: everything else is measured by it.
    const size_t victim = random() % 3 == 0 ? 0 : random() % messages.size();
    for (size_t i = 0; i < messages.size(); ++i) {
      std::vector<std::byte> payload = messages[i].second;
      for (int n = 0; i == victim && n < 3; ++n) {
        const size_t at =
            random() % std::min<size_t>(payload.size(), random() % 2 == 0 ? 72 : payload.size());
        payload[at] = static_cast<std::byte>(std::array{0, 1, 0x7F, 0x80, 0xFF, 40}[random() % 6]);
      }
      std::memcpy(log.reserve(messages[i].first, payload.size()), payload.data(), payload.size());
      log.commit();
    }
    try {
      reader.poll();
    } catch (const fulgurite::Error&) {
      ++refused;
      continue;
    }
    ++shown;
    const scene::Layout layout(reader.model()->record);
    for (const uint32_t element : scene::muted_elements(layout, reader.muted()))
      ASSERT_LT(element, layout.elements());
    scene::list_of(layout, reader.muted());
    for (size_t s = 0; s < reader.steps(); ++s) {
      const scene::Script script = choreograph(reader, layout, s);
      for (const shaders::Light& light : script.lights) {
        ASSERT_LT(light.node, layout.elements());
        explain(reader, layout, layout.ref(light.node), s);
      }
      for (const shaders::Bolt& bolt : script.bolts) {
        ASSERT_LT(bolt.from_node, layout.elements());
        ASSERT_LT(bolt.to_node, layout.elements());
      }
    }
  }
  EXPECT_GT(shown, 300);
  EXPECT_GT(refused, 100);
}

}  // namespace
