#!/usr/bin/env bash
# Makes what the firmware embeds and what its key holder has, in target/edge or $CIPHERLOOM_EDGE: the plan and its report, the
# secret key, a public key, and a file of "random" bytes that is the same every time, so that runs can be compared.
# N = 2^LOG_N: 10 to 13, 12 by default. The plan is for the smallest target that has memory for it, or for $CIPHERLOOM_TARGET;
# its name is left in the file `target`. At N = 1024 there is not modulus enough for a product, and the plan is a sum.
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

graph=score
[ "$log_n" -gt 10 ] || graph=offset
for target in ${CIPHERLOOM_TARGET:-cortex-m4 cortex-m7}; do
    if cipherloom compile "$graph.loom" --weights weights.npz --target "$target" --log-n "$log_n" -o "$out/score.plan" \
        > "$out/compile.log" 2>&1; then break; fi
    grep -q E-MEMORY "$out/compile.log" || { cat "$out/compile.log" >&2; exit 1; }
    target=
done
[ -n "$target" ] || { cat "$out/compile.log" >&2; exit 1; }
cat "$out/compile.log" >&2
echo "$target" > "$out/target"
cipherloom inspect "$out/score.plan" --target "$target" > "$out/report.txt"
cipherloom inspect "$out/score.plan" --target "$target" --json > "$out/report.json"
rm -rf "$out/keys"
cipherloom keygen "$out/score.plan" --out-dir "$out/keys" >&2
cp -f "$out/keys/secret.key" "$out/secret.key"
cargo run --quiet --release --package public-key --target "$host" -- \
    "$out/score.plan" "$out/secret.key" "$out/public.key" >&2
# Known bytes: for tests only.
printf 'Cipherloom test entropy: 32 byte' > "$out/entropy"
