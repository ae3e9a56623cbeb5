#!/usr/bin/env bash
# Builds the firmware and runs every program on two emulated boards; prints one JSON object per line:
# program, machine, instructions, ram_bytes (data and the deepest stack), flash_bytes, and what these consist of.
# N = 2^LOG_N, see prepare.sh; a plan for a larger target than the first board runs on the second alone.
# $TABLES are the kinds of tables that are measured, "computed stored" by default, where the compiler says that they fit.
# The clock counts an instruction as a nanosecond, so the counts are the same in every run.
# The programs pass ciphertexts on as files: what one encrypts the next computes with, and the last decrypts.
set -euo pipefail
cd "$(dirname "$0")"
export CIPHERLOOM_EDGE=$(mkdir -p "${CIPHERLOOM_EDGE:-target/edge}" && cd "${CIPHERLOOM_EDGE:-target/edge}" && pwd)
command -v qemu-system-arm > /dev/null || { echo "qemu-system-arm is missing (Debian: apt-get install qemu-system-arm)" >&2; exit 3; }
rustup target list --installed | grep -q thumbv7em-none-eabihf || { echo "the target is missing: rustup target add thumbv7em-none-eabihf" >&2; exit 3; }
[ -n "${PREPARED:-}" ] || ./prepare.sh
export CIPHERLOOM_TARGET=$(< "$CIPHERLOOM_EDGE/target")

run() { # machine, millions of ticks of its clock in a second, program
    (cd "$CIPHERLOOM_EDGE" && timeout 300 qemu-system-arm -M "$1" -display none -monitor none -serial none -icount shift=0 \
        -semihosting-config "enable=on,target=native,arg=$1,arg=$2" -kernel "$elfs/$3")
}
elfs=${CARGO_TARGET_DIR:-$PWD/target}/thumbv7em-none-eabihf/release
for tables in ${TABLES:-computed stored}; do
    # In this order: each needs what the one before has written.
    programs=$(awk -v tables="$tables" '$2 == tables && $4 == "about" { print $1 }' "$CIPHERLOOM_EDGE/report.txt")
    features=$([ "$tables" = computed ] || echo "--features $tables-tables")
    # shellcheck disable=SC2046,SC2086
    cargo build --quiet --release $(printf -- '--bin %s ' $programs) $features >&2
    for program in $programs; do
        [ "$CIPHERLOOM_TARGET" != cortex-m4 ] || run netduinoplus2 168 "$program"
        run mps2-an386 25 "$program"
    done
done
