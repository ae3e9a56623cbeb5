#!/usr/bin/env bash
# The page in a headless browser, and the command line tool on the other side: the page makes keys and encrypts, the tool
# runs the plan and decrypts; and the page decrypts what the tool ran. Exit status 3 where there is no Chromium.
set -euo pipefail
cd "$(dirname "$0")"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) \
    || { echo "Chromium is missing (Debian: apt-get install chromium)" >&2; exit 3; }
./build.sh
cipherloom() {
    if [ -n "${CIPHERLOOM:-}" ]; then "$CIPHERLOOM" "$@"; else
        (cd ../.. && cargo build --quiet --package cipherloom-cli)
        "${CARGO_TARGET_DIR:-../../target}/debug/cipherloom" "$@"
    fi
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# drive FILE SCRIPT…: opens the page with FILEs as `files.NAME` and runs the script; what it saves comes back as files.
drive() {
    local name body=$1; shift
    {
        cat target/cipherloom.html
        echo '<script>const files = {};'
        for name in "$@"; do printf 'files["%s"] = Uint8Array.from(atob("%s"), (c) => c.charCodeAt(0));\n' "$name" "$(base64 -w 0 "$work/$name")"; done
        cat << 'SCRIPT'
// Files that the page would save appear in its text.
save = (name, bytes) => {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  document.body.append(Object.assign(document.createElement("p"), { textContent: `saved ${name} ${btoa(text)} .` }));
};
const settled = () => new Promise((resolve) => new MutationObserver(resolve).observe(at("message"), { childList: true }));
async function choose(id, name) {
  const list = new DataTransfer();
  list.items.add(new File([files[name]], name));
  const done = at(id).onchange ? settled() : undefined;
  at(id).files = list.files;
  at(id).dispatchEvent(new Event("change"));
  await done;
}
async function press(id) {
  const done = settled();
  at(id).click();
  await done;
}
const fetched = () => fetch("https://example.org/").then(() => "sent", () => "kept");
SCRIPT
        printf '(async () => { %s\n})().catch((error) => { at("message").textContent = `failed: ${error}`; });</script>\n' "$body"
    } > "$work/drive.html"
    "$chromium" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --virtual-time-budget=120000 \
        --dump-dom "file://$work/drive.html" 2> "$work/chromium.log" > "$work/dom.html" \
        || { cat "$work/chromium.log" >&2; exit 1; }
    { grep -o '<p>saved [^ ]* [A-Za-z0-9+/=]* \.' "$work/dom.html" || true; } | while read -r _ name bytes _; do
        base64 -d <<< "$bytes" > "$work/$name"
    done
    message=$(sed -n 's/.*<output id="message"[^>]*>\([^<]*\)<\/output>.*/\1/p' "$work/dom.html" | tail -n 1)
}
near() { # two numbers
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a - b < 1e-4 && b - a < 1e-4) }' || { echo "$1, not $2" >&2; exit 1; }
}
check() { # options of compile…
    cipherloom compile distance.loom "$@" -o "$work/distance.plan" > /dev/null
    values='{"x": Array.from({length: 256}, (_, i) => i / 256), "y": Array.from({length: 256}, (_, i) => -i / 512)}'
    expected=$(awk 'BEGIN { for (i = 0; i < 256; i++) s += (i / 256 + i / 512) ^ 2; printf "%.9f", s / 256 }')

    drive "await choose('plan', 'distance.plan'); await press('keygen'); at('values').value = JSON.stringify($values); await press('encrypt');" distance.plan
    case $message in inputs.ct:*) ;; *) echo "the page says: $message" >&2; exit 1 ;; esac
    cipherloom run "$work/distance.plan" --keys "$work/evaluation.keys" --inputs "$work/inputs.ct" -o "$work/outputs.ct" > /dev/null
    cipherloom decrypt "$work/distance.plan" --key "$work/secret.key" --outputs "$work/outputs.ct" -o "$work/clear.npz" > /dev/null
    near "$(unzip -p "$work/clear.npz" squared.npy | tail -c 8 | od -An -t f8)" "$expected"

    drive "await choose('plan', 'distance.plan'); await choose('secret', 'secret.key'); await choose('outputs', 'outputs.ct'); await press('decrypt');" distance.plan secret.key outputs.ct
    case $message in "{\"squared"*) ;; *) echo "the page says: $message" >&2; exit 1 ;; esac
    near "$(grep -oE '[-0-9.]+(e-?[0-9]+)?' <<< "$message" | tail -n 1)" "$expected"

    # Another plan's key is refused, and nothing gets out.
    drive "await choose('plan', 'distance.plan'); await choose('secret', 'evaluation.keys'); at('values').value = JSON.stringify($values); await press('encrypt');" distance.plan evaluation.keys
    case $message in 'secret key: '*) ;; *) echo "the page took a wrong file for a key: $message" >&2; exit 1 ;; esac
}
check
check --word-bits 32
drive "at('message').textContent = await fetched();"
[ "$message" = kept ] || { echo "the page reaches the network: $message" >&2; exit 1; }
echo "the page encrypts for the tool and decrypts what it ran, with words of 64 and of 32 bits"
