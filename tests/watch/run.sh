#!/usr/bin/env bash
# Replays what became of notices of real incidents on a local site, and reads the archive with warcio; then builds the public
# register and looks at its pages in Chromium with axe-core. Arguments go to the first.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/sekisho-target}"
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
WARCIO=1.8.1
AXE=4.14.1
PUPPETEER=25.16.0

[ -x "$SEKISHO_CACHE/venv/bin/python" ] || python3 -m venv "$SEKISHO_CACHE/venv"
if ! "$SEKISHO_CACHE/venv/bin/pip" freeze --disable-pip-version-check | grep --quiet "^warcio==$WARCIO\$"; then
  "$SEKISHO_CACHE/venv/bin/pip" install --quiet --disable-pip-version-check "warcio==$WARCIO"
fi
mkdir -p "$SEKISHO_CACHE/npm-axe"
if [ ! -d "$SEKISHO_CACHE/npm-axe/node_modules/axe-core" ] || [ ! -d "$SEKISHO_CACHE/npm-axe/node_modules/puppeteer-core" ]; then
  npm install --prefix "$SEKISHO_CACHE/npm-axe" --no-fund --no-audit --loglevel=error "axe-core@$AXE" "puppeteer-core@$PUPPETEER"
fi
cargo build --quiet --locked --package sekisho --no-default-features
export SEKISHO="${SEKISHO:-$CARGO_TARGET_DIR/debug/sekisho}"
"$SEKISHO_CACHE/venv/bin/python" tests/watch/run.py "$@"
CHROMIUM="${CHROMIUM:-$(command -v chromium)}" node tests/watch/axe.mjs "$SEKISHO_CACHE/register-site" "$SEKISHO_CACHE/npm-axe/node_modules" "$SEKISHO_CACHE/register-screens"
