#!/usr/bin/env bash
# Installs what is missing, builds Release into build/ and starts the program:
#   ./run.sh              the window; without a display: renders the demo to a video and a still
#   ./run.sh WORDS...     build/fulgurite WORDS...   (./run.sh --help lists them)
# What this script itself has to say goes to stderr; stdout belongs to the program.
# test.sh sources this file for the functions.
set -euo pipefail
caller=$PWD
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

# These names hold on Debian 12 and 13, and on Ubuntu 24.04 and 26.04.
packages=(
  build-essential cmake ninja-build pkg-config
  libvulkan-dev glslc spirv-tools mesa-vulkan-drivers
  libglfw3-dev libglm-dev libeigen3-dev libimgui-dev
  libfreetype-dev libfontconfig-dev libfribidi-dev fonts-dejavu-core
  nlohmann-json3-dev libcli11-dev libfmt-dev zlib1g-dev libpng-dev ffmpeg
)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "${0##*/}: $*"
  exit 1
}

# install_missing PACKAGE...: through apt, as root or with sudo.
install_missing() {
  if ! { command -v apt-get && command -v dpkg-query; } >/dev/null; then
    say "${0##*/}: this is no Debian-like system, so nothing is installed here. What the build needs, by its Debian names:"
    say "  $*"
    return 0
  fi

  local installed package
  local -a missing=() as_root=()
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      die "packages are missing and there is no sudo; as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -qq)
  local -a install=("${apt[@]}" -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}")
  local log
  log=$(mktemp)
  say "Installing with ${as_root[*]:+${as_root[*]} }apt-get (this may take some minutes): ${missing[*]}"
  # The package lists are fetched only when those at hand do not lead to the packages.
  if ! "${install[@]}" </dev/null >"$log" 2>&1; then
    say "Refreshing the package lists: ${as_root[*]:+${as_root[*]} }apt-get update"
    if ! { "${apt[@]}" update && "${install[@]}"; } </dev/null >"$log" 2>&1; then
      cat "$log" >&2
      rm -f "$log"
      die "apt-get could not install: ${missing[*]}"
    fi
  fi
  rm -f "$log"
}

# Whether build/ is one that this tree configured, where it lies now.
is_ours() {
  local cache=build/CMakeCache.txt
  grep -qxF "CMAKE_GENERATOR:INTERNAL=Ninja" "$cache" &&
    grep -qxF -e "CMAKE_CACHEFILE_DIR:INTERNAL=$PWD/build" \
      -e "CMAKE_CACHEFILE_DIR:INTERNAL=$(pwd -P)/build" "$cache"
}

# build TESTS(ON|OFF) TARGET: on a terminal with Ninja's progress line, else quiet unless it fails.
# Warnings, of a newer compiler say, stop it only with FULGURITE_WERROR=ON.
build() {
  local tests=$1 target=$2
  local -a options=(-DCMAKE_COMPILE_WARNING_AS_ERROR="${FULGURITE_WERROR:-OFF}")
  if [[ -f build/CMakeCache.txt ]] && ! is_ours; then
    say "build/ was configured elsewhere or otherwise: it is configured anew"
    rm -f build/build.ninja
    options+=(--fresh)
  fi
  if [[ ! -f build/build.ninja || $tests == ON ]]; then
    [[ -f build/CMakeCache.txt ]] || say "Building into build/ (some minutes the first time)"
    if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    cmake --preset release --log-level=WARNING -DBUILD_TESTING="$tests" "${options[@]}" >/dev/null
  fi
  if [[ -t 2 ]]; then
    cmake --build build --target "$target" >&2
  else
    cmake --build build --target "$target" -- --quiet 2>&1 | sed '/^ninja: no work to do\.$/d' >&2
  fi
}

demo() {
  local model_says=(-p "ROMEO:" --seed 1 --window-size 1280x720)
  say "No display here: rendering the demo instead of opening the window."
  build/fulgurite record "${model_says[@]}" --fps 30 --seconds 10 -o fulgurite-demo.mp4
  build/fulgurite shot "${model_says[@]}" -o fulgurite-demo.png
  say "The demo lies in"
  for file in fulgurite-demo.mp4 fulgurite-demo.png; do
    [[ ! -e $file ]] || say "  $PWD/$file"
  done
}

[[ ${BASH_SOURCE[0]} == "$0" ]] || return 0

install_missing "${packages[@]}"
build OFF fulgurite
if (($# == 0)) && [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
  demo
else
  program=$PWD/build/fulgurite
  cd "$caller" # paths among the words are the caller's
  exec "$program" "$@"
fi
