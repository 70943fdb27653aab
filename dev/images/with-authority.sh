#!/bin/sh
# Runs a command that downloads, and that trusts the certificates of the file given to the build
# besides the image's own. An empty file adds nothing.
set -eu
given=/run/authority.pem
if [ -s "$given" ]; then
  bundle=$(mktemp)
  cat /etc/ssl/certs/ca-certificates.crt "$given" > "$bundle"
  export SSL_CERT_FILE="$bundle" PIP_CERT="$bundle"
fi
# An argument of the build that is empty is not set.
[ -n "${GOPROXY:-}" ] || unset GOPROXY
if [ -n "${PIP_INDEX_URL:-}" ]; then
  export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
else
  unset PIP_INDEX_URL
fi
exec "$@"
