#!/usr/bin/env bash
# Measures the shapes of HETAL, then trains on real features where the folder given as first argument holds them.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-}
cipherloom() { cargo run --release --quiet -- "$@"; }
train() { cipherloom train examples/hetal/head.loom --json "$@"; }
# The name of a data set whose file is there.
has() { [ -n "$data" ] && [ -f "$data/$1.npz" ]; }

cipherloom bench hetal --json

if has snips_minilm384; then
    train --data "$data/snips_minilm384.npz" --epochs 14 --set rate=10 --set range=20
fi
# Features of DeiT reach ±10: an eighth of them fits the declared range.
if has facemask3_deit768; then
    train --data "$data/facemask3_deit768.npz" --scale x=0.125 --epochs 22 --set batch=512 --set rate=1
fi
if has derma28_deit768; then
    train --data "$data/derma28_deit768.npz" --scale x=0.125 --epochs 23 --set rate=0.64
fi
