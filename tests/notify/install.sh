#!/usr/bin/env bash
# Installs the SMTP server (aiosmtpd) and the verifier of signatures (dkimpy) into the cache, once; prints the Python that has them.
set -euo pipefail
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
AIOSMTPD=1.4.6
DKIMPY=1.1.8
venv="$SEKISHO_CACHE/notify-venv"
mkdir -p "$SEKISHO_CACHE"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
installed="$("$venv/bin/pip" freeze --disable-pip-version-check)"
if ! grep --quiet "^aiosmtpd==$AIOSMTPD\$" <<<"$installed" || ! grep --quiet "^dkimpy==$DKIMPY\$" <<<"$installed"; then
  "$venv/bin/pip" install --quiet --disable-pip-version-check "aiosmtpd==$AIOSMTPD" "dkimpy==$DKIMPY" pynacl >&2
fi
echo "$venv/bin/python"
