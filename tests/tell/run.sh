#!/usr/bin/env bash
# From the end of an attack to every draft; PERSONS=114819 for the size of the historical case. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
# The typesetter, where the step `pdf` built it.
export PATH="$SEKISHO_CACHE/pdf-target/release:$PATH"
exec python3 tests/tell/run.py "$@"
