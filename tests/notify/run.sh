#!/usr/bin/env bash
# Sends notices to a real SMTP server that misbehaves on demand, kills the sender in mid-run, and compares what the server
# received with what the journal says. NOTIFY_MAILS sets how many (2,000). Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 3; }
python="$(tests/notify/install.sh)"
exec "$python" tests/notify/run.py "$@"
