#!/usr/bin/env bash
# "Was I affected?" from outside: files, answers, times, and the page in a browser (Debian's chromium, axe-core).
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
tests/affected/install.sh
python3 tests/affected/run.py "$@"
