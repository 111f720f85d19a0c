#!/usr/bin/env bash
# The persons of the historical cases, from their row in a register to the mail or letter that tells them, by the executable.
# `SEKISHO_WRITE_EXPECTED=1` writes what is expected anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
# The typesetter, where the step `pdf` built it.
export PATH="$SEKISHO_CACHE/pdf-target/release:$PATH"
exec python3 tests/scenarios/run.py "$@"
