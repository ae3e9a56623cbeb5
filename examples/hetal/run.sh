#!/usr/bin/env bash
# Measures the shapes of HETAL, then trains on real features where the folder given as first argument holds them.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-}
cipherloom() { cargo run --release --quiet -- "$@"; }

cipherloom bench hetal --json

head=examples/hetal/head.loom
if [ -n "$data" ] && [ -f "$data/snips_minilm384.npz" ]; then
    cipherloom train "$head" --data "$data/snips_minilm384.npz" --epochs 14 --json \
        --set batch=1024 --set features=384 --set classes=7 --set validation=700 --set rate=10
fi
if [ -n "$data" ] && [ -f "$data/facemask3_deit768.npz" ]; then
    # Features reach ±10: an eighth of them fits the declared range.
    python3 - "$data/facemask3_deit768.npz" target/facemask3.npz <<'PYTHON'
import sys
import numpy as np

arrays = dict(np.load(sys.argv[1]))
for name in ("x_train", "x_val", "x_test"):
    arrays[name] = arrays[name] / 8
np.savez(sys.argv[2], **arrays)
PYTHON
    cipherloom train "$head" --data target/facemask3.npz --epochs 22 --json \
        --set batch=512 --set features=768 --set classes=3 --set validation=408 --set rate=1
fi
