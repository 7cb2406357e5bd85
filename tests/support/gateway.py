"""Ways to look at a customer's gateway with clients that are not ours."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What curl saw."""

    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


def curl(
    url: str,
    address: str,
    ca: str,
    *,
    user: str | None = None,
    bearer: str | None = None,
    body: dict[str, Any] | None = None,
) -> Answer:
    """Ask with curl, over a certificate that has to chain to the local CA and no other."""
    host = urlsplit(url).hostname
    # Secrets go by stdin, so that they are in no process list.
    config = [f'url = "{url}"', f'resolve = "{host}:443:{address}"', f'cacert = "{ca}"', 'capath = "/nonexistent"']
    if user:
        config.append(f'user = "{user}"')
    if bearer:
        config.append(f'header = "Authorization: Bearer {bearer}"')
    if body is not None:
        text = json.dumps(body).replace('"', '\\"')
        config += [f'data = "{text}"', 'header = "Content-Type: application/json"']
        # Over HTTP/2 an answer may come before the body was taken, and the stream is then closed without an error
        # (RFC 9113, section 8.1).  The curl of Debian 12 takes that for a failure every other time.
        config.append("http1.1")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}", "--config", "-"],
        input="\n".join(config),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"curl {url}: {done.stderr}"
    content, _, status = done.stdout.rpartition("\n")
    return Answer(int(status), content)


def invoke(url: str, address: str, ca: str, token: str | None) -> Answer:
    """Call a harmless tool through the gateway's API."""
    body = {"tool": "sessions_list", "action": "json", "args": {}}
    return curl(f"{url}/tools/invoke", address, ca, bearer=token, body=body)


@contextmanager
def websocket(address: str, host: str, ca: str) -> Iterator[ssl.SSLSocket]:
    """An open WebSocket, as a raw connection that nothing is sent on."""
    key = base64.b64encode(b"0123456789abcdef").decode()
    context = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection((address, 443), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        request = f"GET / HTTP/1.1\nHost: {host}\nConnection: Upgrade\nUpgrade: websocket\n"
        request += f"Sec-WebSocket-Version: 13\nSec-WebSocket-Key: {key}\nOrigin: https://{host}\n\n"
        connection.sendall(request.replace("\n", "\r\n").encode())
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        yield connection


def is_open(connection: ssl.SSLSocket) -> bool:
    """Whether the other side has not ended a connection, nor does so within a second."""
    connection.settimeout(1)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return True
    return False
