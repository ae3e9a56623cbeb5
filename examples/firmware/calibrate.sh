#!/usr/bin/env bash
# Measures elementary work on an emulated board and prints the compiler's cost table of microcontrollers
# (compiler/src/target/cortex_m4.json): an instruction is a cycle, of 168 MHz.
set -euo pipefail
cd "$(dirname "$0")"
edge=$(mkdir -p "${CIPHERLOOM_EDGE:-target/edge}" && cd "${CIPHERLOOM_EDGE:-target/edge}" && pwd)
transforms=
for log_n in 11 12; do
    export CIPHERLOOM_EDGE=$edge-$log_n CIPHERLOOM_TARGET=cortex-m7
    LOG_N=$log_n ./prepare.sh
    cargo build --quiet --release --bin operations --features operations >&2
    terms=$(cd "$CIPHERLOOM_EDGE" && timeout 300 qemu-system-arm -M mps2-an386 -display none -monitor none -serial none -icount shift=0 \
        -semihosting-config "enable=on,target=native,arg=mps2-an386,arg=25" \
        -kernel "${CARGO_TARGET_DIR:-$OLDPWD/target}/thumbv7em-none-eabihf/release/operations" | grep -v '^{')
    transforms+=$(awk -v log_n="$log_n" '$1 == "transform" { t = $2 / 0.168; printf "%s      \"%d\": [%.5f, %.5f]", sep, log_n, t, t }' \
        sep="${transforms:+,
}" <<< "$terms")
done
# Constants are encoded before the run, when the firmware is built.
terms=$(awk '$1 != "transform" && $1 != "encode" && $1 != "reduce" { t = $2 / 0.168; printf "%s      \"%s\": [%.5f, %.5f]", sep, $1, t, t; sep = ",\n" }' <<< "$terms")
class="{
    \"transform\": {
$transforms
    },
    \"terms\": {
$terms
    }
  }"
cat << TABLE
{
  "machine": "Cortex-M4 at 168 MHz, one instruction a cycle",
  "backend": "portable",
  "command": "examples/firmware/calibrate.sh",
  "narrow": $class,
  "wide": $class
}
TABLE
