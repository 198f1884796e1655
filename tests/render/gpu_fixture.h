// A device with validation for the tests that draw, and a small scene to draw.
#pragma once

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <glm/gtc/matrix_transform.hpp>

#include "model/error.h"
#include "render/frame.h"
#include "render/gpu/device.h"
#include "render/target/offscreen.h"

namespace render::test {

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      gpu::DeviceOptions options;
      options.validation = true;
      device_ = std::make_unique<gpu::Device>(options);
    } catch (const fulgurite::Error& error) {
      const char* required = std::getenv("FULGURITE_REQUIRE_GPU");
      if (error.code() != fulgurite::ExitCode::kNoVulkan ||
          (required != nullptr && *required == '1'))
        throw;
      GTEST_SKIP() << "not drawn, because there is no Vulkan device: " << error.what();
    }
  }
  void TearDown() override {
    device_.reset();
    EXPECT_EQ(gpu::Device::validation_messages(), 0u)
        << "the validation layer complained, see above";
  }
  gpu::Device& device() { return *device_; }

 private:
  std::unique_ptr<gpu::Device> device_;
};

inline constexpr uint32_t kWidth = 160, kHeight = 90;

inline shaders::Node box(glm::vec3 center, float half_size, uint32_t channel, uint32_t flags = 0) {
  return {.center = center,
          .birth = -1,
          .half_size = glm::vec3(half_size),
          .grow = 0,
          .channel = channel,
          .flags = flags,
          .column = -1,
          .element = 0,
          .grid = 0,
          .reach = 0};
}

// Each box is an element of its own.
inline std::vector<shaders::Node> numbered(std::vector<shaders::Node> nodes) {
  for (uint32_t i = 0; i < nodes.size(); ++i) nodes[i].element = i;
  return nodes;
}

inline shaders::Bolt bolt(glm::vec3 from, glm::vec3 to, float instant, uint32_t flags = 0) {
  return {.from = from,
          .instant = instant,
          .to = to,
          .share = 0.5f,
          .value = 1,
          .life = 1,
          .arc = 0.3f,
          .channel = shaders::kChannelAttention,
          .flags = flags,
          .seed = 7,
          .from_node = 0,
          .to_node = 0,
          .from_column = -1,
          .to_column = -1,
          .crowd = 0};
}

// Looks at the origin from 10 units in front of it: 2 tan(fov / 2) * 10 / kHeight units a pixel
// there.
inline shaders::Frame frame_at(float playhead) {
  shaders::Frame frame{};
  const float fov = glm::radians(40.0f);
  frame.eye = {0, 0, 10};
  glm::mat4 clip_from_view =
      glm::perspectiveRH_ZO(fov, static_cast<float>(kWidth) / kHeight, 0.1f, 100.0f);
  clip_from_view[1][1] *= -1;
  frame.clip_from_world = clip_from_view * glm::lookAt(frame.eye, glm::vec3(0), glm::vec3(0, 1, 0));
  frame.right = {1, 0, 0};
  frame.up = {0, 1, 0};
  frame.pixel_size = 2 * std::tan(fov / 2) / kHeight;
  frame.playhead = playhead;
  frame.shortest_life = 0;
  frame.exposure = 1;
  frame.bloom = 0.5f;
  for (auto& color : frame.channel_color) color = {0.2f, 0.5f, 0.9f, 1};
  frame.background = {0.002f, 0.003f, 0.006f, 0};
  frame.horizon = {0.004f, 0.006f, 0.014f, 0.01f};
  frame.floor_y = -2;
  frame.grid_cell = 0.5f;
  return frame;
}

inline FrameInput input_at(float playhead, uint64_t last_step = 0) {
  FrameInput input;
  input.frame = frame_at(playhead);
  input.first_step = 0;
  input.last_step = last_step;
  return input;
}

}  // namespace render::test
