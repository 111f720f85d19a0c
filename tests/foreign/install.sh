#!/usr/bin/env bash
# Installs the foreign applications into the cache, once: Datasette with its password plugin, PyJWT, a reader of signed webhooks, and json-server.
set -euo pipefail
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
DATASETTE=0.65.5
PASSWORDS=1.1.1
PYJWT=2.10.1
CRYPTOGRAPHY=44.0.3
STANDARDWEBHOOKS=1.0.1
JSON_SERVER=0.17.4

mkdir -p "$SEKISHO_CACHE/npm"
[ -x "$SEKISHO_CACHE/venv/bin/python" ] || python3 -m venv "$SEKISHO_CACHE/venv"
installed="$("$SEKISHO_CACHE/venv/bin/pip" freeze --disable-pip-version-check)"
if ! grep --quiet "^datasette==$DATASETTE\$" <<<"$installed" || ! grep --quiet "^datasette-auth-passwords==$PASSWORDS\$" <<<"$installed" ||
  ! grep --quiet "^PyJWT==$PYJWT\$" <<<"$installed" || ! grep --quiet "^cryptography==$CRYPTOGRAPHY\$" <<<"$installed" ||
  ! grep --quiet "^standardwebhooks==$STANDARDWEBHOOKS\$" <<<"$installed"; then
  "$SEKISHO_CACHE/venv/bin/pip" install --quiet --disable-pip-version-check \
    "datasette==$DATASETTE" "datasette-auth-passwords==$PASSWORDS" "PyJWT==$PYJWT" "cryptography==$CRYPTOGRAPHY" \
    "standardwebhooks==$STANDARDWEBHOOKS"
fi
if [ ! -x "$SEKISHO_CACHE/npm/node_modules/.bin/json-server" ]; then
  npm install --prefix "$SEKISHO_CACHE/npm" --no-fund --no-audit --loglevel=error "json-server@$JSON_SERVER"
fi
