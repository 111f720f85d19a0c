#!/usr/bin/env bash
# Drives sqlmap (Debian) against the sample broker through Sekisho. Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v sqlmap >/dev/null || { echo "sqlmap is missing: apt-get install sqlmap" >&2; exit 3; }
exec python3 tests/sqlmap/run.py "$@"
