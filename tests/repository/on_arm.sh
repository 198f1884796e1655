#!/usr/bin/env bash
# The kernels on ARM, as far as an emulator can tell: their tests, which compare every product with
# the scalar reference to the bit and every block format with ggml's numbers, run under qemu.
#   apt install g++-aarch64-linux-gnu qemu-user libgtest-dev; tests/repository/on_arm.sh
#   ARM_FOLDER    where objects are kept from run to run (default build/arm)
#   ARM_JOBS      compilers at once (default: one a core)
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${ARM_FOLDER:-build/arm}
cxx=aarch64-linux-gnu-g++
for program in $cxx qemu-aarch64; do
  command -v $program > /dev/null || { echo "on_arm.sh: $program is missing" >&2; exit 2; }
done
gtest=/usr/src/googletest/googletest
mkdir -p "$folder/include"
ln -sfn /usr/include/nlohmann "$folder/include/nlohmann"
tests=(tests/model/kernels/{matmul,ops}_test.cpp tests/model/dequantize_test.cpp)
sources=(model/*.cpp model/kernels/*.cpp "${tests[@]}" $gtest/src/gtest-all.cc $gtest/src/gtest_main.cc)

newest_header=$(find model tests/model -name '*.h' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2-)

compile() { # SOURCE: if it or a header is newer than its object
  local object
  object=$folder/$(echo "$1" | tr / _).o
  [[ $object -nt $1 && $object -nt $newest_header ]] && return
  $cxx -std=c++20 -O2 -w -ffp-contract=off -fno-math-errno -DFULGURITE_ISA=isa_base -DEigen=Eigen_base \
    -DEIGEN_DONT_PARALLELIZE -I. -isystem /usr/include/eigen3 -isystem "$folder/include" \
    -I"$gtest/include" -I"$gtest" -c -o "$object" "$1"
}
export -f compile
export cxx folder gtest newest_header
printf '%s\n' "${sources[@]}" | xargs -P "${ARM_JOBS:-$(nproc)}" -I{} bash -c 'compile {}'
objects=()
for source in "${sources[@]}"; do objects+=("$folder/$(echo "$source" | tr / _).o"); done
$cxx -static -o "$folder/test-kernels" "${objects[@]}" -lpthread
qemu-aarch64 "$folder/test-kernels" --gtest_brief=1
