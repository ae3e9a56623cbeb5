#!/usr/bin/env bash
# Makes what the firmware embeds and what its key holder has, in target/edge or $CIPHERLOOM_EDGE: the plan, the secret key,
# a public key, and a file of "random" bytes that is the same every time, so that runs can be compared.
# N = 2^LOG_N, 2^12 by default: 2^11 to 2^13 fit, 2^10 has too small a modulus for a product.
set -euo pipefail
cd "$(dirname "$0")"
out=${CIPHERLOOM_EDGE:-target/edge}
log_n=${LOG_N:-12}
mkdir -p "$out"
out=$(cd "$out" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')
cipherloom() {
    if [ -n "${CIPHERLOOM:-}" ]; then "$CIPHERLOOM" "$@"; else
        (cd ../.. && cargo build --quiet --package cipherloom-cli)
        "${CARGO_TARGET_DIR:-../../target}/debug/cipherloom" "$@"
    fi
}

rm -rf "$out/keys"
cipherloom compile score.loom --weights weights.npz --word-bits 32 --log-n "$log_n" -o "$out/score.plan" >&2
cipherloom keygen "$out/score.plan" --out-dir "$out/keys" >&2
cp -f "$out/keys/secret.key" "$out/secret.key"
cargo run --quiet --release --package public-key --target "$host" -- \
    "$out/score.plan" "$out/secret.key" "$out/public.key" >&2
# Known bytes: for tests only.
printf 'Cipherloom test entropy: 32 byte' > "$out/entropy"
