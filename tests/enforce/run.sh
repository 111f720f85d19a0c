#!/usr/bin/env bash
# Drives the sample broker, an hour of 1,000 customers, and a foreign application with log-in through Sekisho with its rules
# enforced. Arguments go to each.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
tests/foreign/install.sh
python3 tests/enforce/run.py "$@"
python3 tests/enforce/hour.py "$@"
python3 tests/enforce/contain.py "$@"
"$SEKISHO_CACHE/venv/bin/python" tests/enforce/tokens.py "$@"
"$SEKISHO_CACHE/venv/bin/python" tests/enforce/webhook.py "$@"
python3 tests/enforce/foreign_login.py "$@"
