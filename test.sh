#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test with ctest. Words go to ctest:
#   ./test.sh -L cpu      the tests that need no Vulkan driver
#   ./test.sh -R Gguf     the tests whose name matches
# FULGURITE_DATA: folder of reference models and texts (default ../shared/data); tests that miss
# it, or a Vulkan driver, are skipped and listed, or fail with FULGURITE_REQUIRE_DATA=1 and
# FULGURITE_REQUIRE_GPU=1. FULGURITE_WERROR=ON: a warning stops the build.
set -euo pipefail
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/run.sh"

install_missing "${packages[@]}" libgtest-dev libbenchmark-dev vulkan-validationlayers xvfb xdotool
build ON all
exec ctest --test-dir build --output-on-failure --parallel "$(nproc)" "$@"
