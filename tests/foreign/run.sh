#!/usr/bin/env bash
# Drives Datasette and json-server through Sekisho. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
tests/foreign/install.sh
exec python3 tests/foreign/run.py "$@"
