"""Docker's API on a Unix socket, answering what a test says."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@contextmanager
def docker(folder: Path, containers: list[dict[str, Any]], *, status: int = 200) -> Iterator[str]:
    """Serve these containers, as `docker inspect` shows them; yields the socket's path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/containers/json":
                [label] = json.loads(parse_qs(url.query)["filters"][0])["label"]
                name, value = label.split("=")
                found = [{"Id": one["Id"]} for one in containers if one["Config"]["Labels"].get(name) == value]
                self.answer(status, found)
            else:
                wanted = [one for one in containers if url.path == f"/containers/{one['Id']}/json" and "State" in one]
                self.answer(200 if wanted else 404, wanted[0] if wanted else {"message": "No such container"})

        def answer(self, code: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "local"

    path = str(folder / "docker.sock")
    with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


def container(service: str, project: str = "user123", **changes: Any) -> dict[str, Any]:
    """A running container as `docker inspect` shows it."""
    state = {"Status": "running", "Pid": 0, "StartedAt": "2026-11-23T18:00:00.5Z", **changes.pop("State", {})}
    return {
        "Id": changes.pop("Id", f"{project}-{service}"),
        "State": state,
        "RestartCount": 0,
        "HostConfig": {"Memory": 256 * 2**20, "NetworkMode": "bridge", **changes.pop("HostConfig", {})},
        "Config": {
            "Image": "openclaw:1",
            "Labels": {"com.docker.compose.project": project, "com.docker.compose.service": service},
        },
        **changes,
    }
