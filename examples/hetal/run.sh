#!/usr/bin/env bash
# Measures the shapes of HETAL, then trains on real features where the folder given as first argument holds them.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-}
cipherloom() { cargo run --release --quiet -- "$@"; }
train() { cipherloom train examples/hetal/head.loom --json "$@"; }
# The name of a data set whose file is there.
has() { [ -n "$data" ] && [ -f "$data/$1.npz" ]; }
# Features of DeiT reach ±10: an eighth of them fits the declared range.
eighth() {
    mkdir -p target
    python3 - "$data/$1.npz" "target/$1.npz" <<'PYTHON'
import sys
import numpy as np

arrays = dict(np.load(sys.argv[1]))
for name in ("x_train", "x_val", "x_test"):
    arrays[name] = arrays[name] / 8
np.savez(sys.argv[2], **arrays)
PYTHON
}

cipherloom bench hetal --json

if has snips_minilm384; then
    train --data "$data/snips_minilm384.npz" --epochs 14 \
        --set batch=1024 --set features=384 --set classes=7 --set validation=700 --set rate=10 --set range=20
fi
if has facemask3_deit768; then
    eighth facemask3_deit768
    train --data target/facemask3_deit768.npz --epochs 22 \
        --set batch=512 --set features=768 --set classes=3 --set validation=408 --set rate=1
fi
if has derma28_deit768; then
    eighth derma28_deit768
    train --data target/derma28_deit768.npz --epochs 23 \
        --set batch=1024 --set features=768 --set classes=7 --set validation=1003 --set rate=0.64
fi
