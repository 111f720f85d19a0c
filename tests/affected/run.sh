#!/usr/bin/env bash
# "Was I affected?" from outside: files, answers, times, codes by mail over a real SMTP server, and the page in a browser
# (Debian's chromium, axe-core).
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 3; }
tests/affected/install.sh
python="$(tests/notify/install.sh)"
"$python" tests/affected/run.py "$@"
