#!/bin/sh
# Chromium's DevTools listen on the loopback only, whatever it is told, so socat answers on the other addresses.
set -e

socat TCP4-LISTEN:9222,fork,reuseaddr TCP4:127.0.0.1:9223 &

exec /headless-shell/headless-shell \
  --no-sandbox \
  --use-gl=angle \
  --use-angle=swiftshader \
  --remote-debugging-port=9223 \
  "$@"
