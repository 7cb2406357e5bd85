"""What a simulated proxy with a gateway behind it answers."""

from __future__ import annotations

import base64
import json

USER = "customer"
PASSWORD = "canary-password-of-the-fleet"
TOKEN = "c4" * 32

_KNOWN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_PAGE = "<!doctype html><html data-openclaw-control-ui-base-path=''><title>OpenClaw Control</title>" + "<p></p>" * 200
_JSON = "application/json; charset=utf-8"
_PROBES = ("/healthz", "/readyz", "/startupz")


def answer(mode: str, path: str, authorization: str) -> bytes:
    """Return the answer of an instance that is in a mode; whatever needs the gateway is 502 where that is dead."""
    if path == "/tools/invoke":
        through = authorization.startswith("Bearer ")
    else:
        through = path in _PROBES or authorization == _KNOWN
    if not through:
        return _response(401, "", "", 'WWW-Authenticate: Basic realm="restricted"\r\n')
    if mode == "dead":
        return _response(502, "", "")
    if mode == "nested":
        return _response(200, _JSON, "[" * 60_000)
    if path == "/healthz":
        return _response(200, _JSON, '{"ok":true,"status":"live"}')
    if path == "/startupz":
        started = mode != "unready"
        body = {"ok": started, "status": "started" if started else "starting"}
        return _response(200 if started else 503, _JSON, json.dumps(body))
    if path == "/readyz":
        failing = {"unready": ["startup-sidecars"], "channel": ["telegram"]}.get(mode, [])
        ready = not failing
        body: dict[str, object] = {"ready": ready}
        if authorization == f"Bearer {TOKEN}":
            body["failing"] = failing
        return _response(200 if ready else 503, _JSON, json.dumps(body))
    if path == "/tools/invoke":
        if authorization != f"Bearer {TOKEN}":
            return _response(401, _JSON, '{"error":{"message":"Unauthorized","type":"unauthorized"}}')
        return _response(200, _JSON, '{"ok":true,"result":{"content":[],"details":{"count":0,"sessions":[]}}}')
    return _response(200, "text/html; charset=utf-8", _PAGE)


def _response(status: int, kind: str, body: str, more: str = "") -> bytes:
    content = body.encode()
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    return (
        f"HTTP/1.1 {status} Status\r\nStrict-Transport-Security: max-age=31536000\r\n{typed}{more}"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content
