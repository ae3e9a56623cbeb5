#!/usr/bin/env bash
# Builds the page: one file, target/cipherloom.html, with the module inside. Open it from disk, or serve it.
# Needs `rustup target add wasm32-unknown-unknown`.
set -euo pipefail
cd "$(dirname "$0")"
rustup target list --installed | grep -q wasm32-unknown-unknown || { echo "the target is missing: rustup target add wasm32-unknown-unknown" >&2; exit 3; }
cargo build --quiet --release
module=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/release/cipherloom_web.wasm
size=$(stat -c %s "$module")
[ "$size" -le 307200 ] || { echo "the module has $size bytes, more than 300 KiB" >&2; exit 1; }
mkdir -p target
page=$(< page.html)
{
    printf '%s' "${page%%@MODULE@*}"
    base64 -w 0 "$module"
    printf '%s\n' "${page#*@MODULE@}"
} > target/cipherloom.html
echo "target/cipherloom.html: a module of $size bytes" >&2
