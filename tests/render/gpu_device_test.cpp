// Which device is taken: with invented devices, so that no driver is needed.
#include <string>

#include <gtest/gtest.h>

#include "model/error.h"
#include "render/gpu/device_choice.h"

namespace gpu {
namespace {

Candidate device(const char* name, VkPhysicalDeviceType type, const char* rejected = "") {
  Candidate candidate;
  candidate.name = name;
  candidate.properties.deviceType = type;
  candidate.rejected = rejected;
  return candidate;
}

const std::vector<Candidate> kMachine = {
    device("llvmpipe (LLVM 15)", VK_PHYSICAL_DEVICE_TYPE_CPU),
    device("Intel UHD 620", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU),
    device("GeForce RTX 3060", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU),
    device("GeForce GT 640", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, "Vulkan 1.2, 1.3 is needed"),
};

std::string failure(const std::vector<Candidate>& candidates, const std::string& filter) {
  try {
    choose_device(candidates, filter);
  } catch (const fulgurite::Error& error) {
    EXPECT_EQ(error.code(), fulgurite::ExitCode::kNoVulkan);
    return error.what();
  }
  return {};
}

TEST(DeviceChoice, PrefersTheFastestKind) {
  EXPECT_EQ(choose_device(kMachine, ""), 2u);
  EXPECT_EQ(choose_device({kMachine[0], kMachine[1]}, ""), 1u);
  EXPECT_EQ(choose_device({kMachine[0], kMachine[3]}, ""), 0u);
}

TEST(DeviceChoice, TakesPartOfANameOrAnIndex) {
  EXPECT_EQ(choose_device(kMachine, "LLVMpipe"), 0u);
  EXPECT_EQ(choose_device(kMachine, "geforce"), 2u);
  EXPECT_EQ(choose_device(kMachine, "1"), 1u);
  EXPECT_EQ(choose_device(kMachine, "0"), 0u) << "though a faster one is called 3060";
  EXPECT_EQ(choose_device(kMachine, "3060"), 2u);
}

TEST(DeviceChoice, SaysWhyEachOneWasRejected) {
  EXPECT_NE(failure({}, "").find("mesa-vulkan-drivers"), std::string::npos);
  const std::string old = failure({kMachine[3]}, "");
  EXPECT_NE(old.find("GeForce GT 640: Vulkan 1.2, 1.3 is needed"), std::string::npos) << old;
  EXPECT_NE(failure(kMachine, "gt 640").find("GeForce GT 640: Vulkan 1.2, 1.3 is needed"),
            std::string::npos)
      << "it is there, though others could be used";
  const std::string absent = failure(kMachine, "radeon");
  EXPECT_NE(absent.find("1 Intel UHD 620, 2 GeForce RTX 3060"), std::string::npos) << absent;
  EXPECT_NE(absent.find("--device radeon"), std::string::npos) << absent;
}

}  // namespace
}  // namespace gpu
