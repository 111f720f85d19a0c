#!/usr/bin/env bash
# Installs axe-core and puppeteer-core into the cache, once. The browser is Debian's chromium.
set -euo pipefail
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
AXE=4.14.1
PUPPETEER=25.16.0

folder="$SEKISHO_CACHE/browser"
mkdir -p "$folder"
installed="$(cat "$folder/installed" 2>/dev/null || true)"
if [ "$installed" != "$AXE $PUPPETEER" ]; then
  npm install --prefix "$folder" --no-fund --no-audit --ignore-scripts --loglevel=error "axe-core@$AXE" "puppeteer-core@$PUPPETEER"
  echo "$AXE $PUPPETEER" >"$folder/installed"
fi
