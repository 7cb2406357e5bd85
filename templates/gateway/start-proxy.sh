#!/bin/sh
# Starts the proxy.  The password comes in the environment and is hashed here, through a pipe, so that neither a process
# list nor a file ever shows it, and so that changing it is nothing more than a new environment.
set -eu
AUTH_HASH=$(printf '%s\n' "$AUTH_PASSWORD" | caddy hash-password --algorithm bcrypt --bcrypt-cost 10)
export AUTH_HASH
unset AUTH_PASSWORD
exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile
