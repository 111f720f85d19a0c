#!/usr/bin/env bash
# What must end in a clear status or error, with real tools. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 3; }
exec python3 tests/bad-input/run.py "$@"
