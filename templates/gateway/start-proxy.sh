#!/bin/sh
# Starts the proxy.  The password comes in the environment; browsers send it together with the name, encoded, and the proxy
# compares that header with this variable.  It is made by the shell itself and through a pipe, so no process list shows it.
set -eu
BASIC_AUTH=$(printf '%s' "$AUTH_USER:$AUTH_PASSWORD" | base64 | tr -d '\n')
export BASIC_AUTH
unset AUTH_PASSWORD
exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile
