#!/usr/bin/env bash
# Compiles the plan that the firmware embeds, and makes the key holder's files, into target/edge (or $1).
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-target/edge}
log_n=${LOG_N:-12}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cipherloom() { cargo run --quiet --manifest-path ../../Cargo.toml --package cipherloom-cli --target "$(rustc -vV | sed -n 's/^host: //p')" -- "$@"; }
CIPHERLOOM=${CIPHERLOOM:-cipherloom}
$CIPHERLOOM compile score.loom --weights weights.npz --word-bits 32 --log-n "$log_n" --set "slots=$((1 << (log_n - 1)))" -o "$out/score.plan"
