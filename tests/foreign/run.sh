#!/usr/bin/env bash
# Installs Datasette and json-server into the cache, once, and drives both through Sekisho. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
DATASETTE=0.65.5
JSON_SERVER=0.17.4

mkdir -p "$SEKISHO_CACHE/npm"
[ -x "$SEKISHO_CACHE/venv/bin/python" ] || python3 -m venv "$SEKISHO_CACHE/venv"
if ! "$SEKISHO_CACHE/venv/bin/datasette" --version 2>/dev/null | grep --quiet "version $DATASETTE\$"; then
  "$SEKISHO_CACHE/venv/bin/pip" install --quiet --disable-pip-version-check "datasette==$DATASETTE"
fi
if [ ! -x "$SEKISHO_CACHE/npm/node_modules/.bin/json-server" ]; then
  npm install --prefix "$SEKISHO_CACHE/npm" --no-fund --no-audit --loglevel=error "json-server@$JSON_SERVER"
fi
exec python3 tests/foreign/run.py "$@"
