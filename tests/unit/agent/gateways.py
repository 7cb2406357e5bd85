"""Answers for the gateways of a stand-in server, over real HTTP, each project's on a loopback address of its own."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clawdet_infra.agent.names import PREFLIGHT, preflight

PORT = 18789
CUSTOMERS = ("pro-1", "free-1", "big-one", "pro-1-trial")
PROJECTS = (*CUSTOMERS, *(preflight(one) for one in CUSTOMERS))

PAGE = "<!doctype html><title>OpenClaw Control</title>"


class Gateways:
    """Listens for every project there can be; what a gateway says follows from its image and its data."""

    def __init__(self, folder: Path) -> None:
        self._world = folder / "world.json"
        # Tests run side by side, so each has loopback addresses of its own.
        first, second = hashlib.sha256(str(folder).encode()).digest()[:2]
        self.addresses = {name: f"127.{first or 1}.{second}.{n}" for n, name in enumerate(PROJECTS, start=1)}
        self.asked: list[tuple[str, str | None]] = []
        self._servers = [self._listen(project, address) for project, address in self.addresses.items()]

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _listen(self, project: str, address: str) -> ThreadingHTTPServer:
        gateways = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateways.asked.append((project, self.headers["Authorization"]))
                answer = gateways.answer(project, self.path)
                if answer is None:
                    # Nothing listens: the connection breaks without an answer.
                    return self.connection.close()
                good, content = answer
                self.send_response(200 if good else 503)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content.encode())
                return None

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        server = ThreadingHTTPServer((address, PORT), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def answer(self, project: str, path: str) -> tuple[bool, str] | None:
        """Whether an answer is good, and its body; None where nothing listens."""
        world = json.loads(self._world.read_text())
        found = [one for one in world["containers"].values() if one["project"] == project and one["running"]]
        image = next((one["image"] for one in found if one["service"] == "gateway"), None)
        if image is None or "dying" in image:
            return None
        if "unready" in image or (image in world["unready"] and not project.endswith(PREFLIGHT)):
            if path == "/startupz":
                return False, json.dumps({"ok": False, "status": "starting", "pendingReason": "startup-sidecars"})
            return False, json.dumps({"ready": False, "failing": ["startup-sidecars"]})
        if "nested" in image:
            return True, "[" * 60_000
        if path == "/startupz":
            return True, PAGE if "old" in image else json.dumps({"ok": True, "status": "started"})
        if "channel" in image:
            return False, json.dumps({"ready": False, "failing": ["telegram"]})
        written = Path(world["volumes"][f"{project}_state"]["folder"]) / "written-by"
        if "picky" in image and written.read_text() != image:
            return False, json.dumps({"ready": False, "failing": ["agent-database:main"]})
        return True, json.dumps({"ready": True, "failing": []})
