#!/usr/bin/env bash
# Sends notices to a real SMTP server that misbehaves on demand, kills the sender in mid-run, and compares what the server
# received with what the journal says. NOTIFY_MAILS sets how many (2,000). Arguments go to run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
AIOSMTPD=1.4.6
DKIMPY=1.1.8
command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 3; }
venv="$SEKISHO_CACHE/notify-venv"
mkdir -p "$SEKISHO_CACHE"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
installed="$("$venv/bin/pip" freeze --disable-pip-version-check)"
if ! grep --quiet "^aiosmtpd==$AIOSMTPD\$" <<<"$installed" || ! grep --quiet "^dkimpy==$DKIMPY\$" <<<"$installed"; then
  "$venv/bin/pip" install --quiet --disable-pip-version-check "aiosmtpd==$AIOSMTPD" "dkimpy==$DKIMPY" pynacl
fi
exec "$venv/bin/python" tests/notify/run.py "$@"
