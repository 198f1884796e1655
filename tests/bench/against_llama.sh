#!/bin/sh
# against_llama.sh MODEL.gguf...: tokens a second of this program with live taps on, and of llama.cpp
# (the library that the npm package node-llama-cpp brings) without any, measured in turn.
#
#   THREADS=2 REPEATS=5 PROMPT=128 GENERATE=64   what is measured
#   FULGURITE=build/fulgurite                    the program
#   LLAMA_FOLDER=build/node-llama-cpp            where the opponent is, or will be installed
#
# cmake --build build --target bench-shapes makes a program that writes models to measure with.
set -eu
cd "$(dirname "$0")/../.."
: "${LLAMA_FOLDER:=build/node-llama-cpp}"
export LLAMA_FOLDER
if [ $# -eq 0 ]; then
  sed -n 's/^# \{0,1\}//p' "$0" | sed 1d >&2
  exit 2
fi
if [ ! -d "$LLAMA_FOLDER/node_modules/node-llama-cpp" ]; then
  mkdir -p "$LLAMA_FOLDER"
  npm install --prefix "$LLAMA_FOLDER" --ignore-scripts --no-audit --no-fund node-llama-cpp >&2
fi
exec node tests/bench/against_llama.mjs "$@"
