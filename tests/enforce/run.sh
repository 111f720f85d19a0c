#!/usr/bin/env bash
# Drives the sample broker through Sekisho with `foreign = "block"`. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/enforce/run.py "$@"
