"""The proxies of deployments, in containers in front of one gateway, and requests as bytes on a socket."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from clawdet_infra import render
from clawdet_infra.layout import CustomerLayout
from tests.contract.gateway.containers import TOKEN, Docker, Service, fleet, service, written

PROXY = "library/caddy:2.11.9"
PASSWORD = "canary-0123456789abcdef"
SECRETS = {"AUTH_PASSWORD": PASSWORD, "OPENCLAW_GATEWAY_TOKEN": TOKEN}
START_SECONDS = 60.0


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; `close` says that the connection ends with it."""

    status: int
    kind: str
    body: bytes
    close: bool


@dataclass(frozen=True)
class Door:
    """A proxy in a container, as callers reach it: `host` is the customer's name, `user` the name of the password."""

    name: str
    address: str
    port: int
    host: str
    user: str

    def connect(self) -> socket.socket:
        plain = socket.create_connection((self.address, self.port), timeout=30)
        if self.port != 443:
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The proxy signs its certificate itself here; what it serves is the question.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=self.host)

    def ask(self, target: str, *headers: str, method: str = "GET") -> Reply:
        """Send a request on a connection of its own, with the target byte for byte as it is given."""
        with self.connect() as connection:
            return self.ask_on(connection, target, *headers, method=method)

    def ask_all(self, requests: Sequence[tuple[str, Sequence[str]]]) -> list[Reply]:
        """Send requests one after the other, on one connection for as long as the proxy keeps it."""
        replies: list[Reply] = []
        connection: socket.socket | None = None
        for target, headers in requests:
            connection = connection or self.connect()
            replies.append(self.ask_on(connection, target, *headers))
            if replies[-1].close or replies[-1].status == 101:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()
        return replies

    def ask_on(self, connection: socket.socket, target: str, *headers: str, method: str = "GET") -> Reply:
        named = any(header.startswith("Host:") for header in headers)
        lines = [f"{method} {target} HTTP/1.1", *([] if named else [f"Host: {self.host}"]), *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        answer = HTTPResponse(connection, method=method)
        answer.begin()
        if answer.status == 101:
            return Reply(101, "", b"", close=False)
        kind = (answer.getheader("Content-Type") or "").partition(";")[0]
        return Reply(answer.status, kind, answer.read(), answer.will_close)

    def basic(self, user: str | None = None, password: str = PASSWORD, scheme: str = "Basic") -> str:
        pair = f"{user or self.user}:{password}".encode()
        return f"Authorization: {scheme} {base64.b64encode(pair).decode()}"


@dataclass(frozen=True)
class Doors:
    """Starts proxies on the network of a gateway."""

    docker: Docker
    image: str
    network: str
    folder: Path

    def dedicated(self) -> Door:
        """The proxy of a server of a customer's own."""
        one = self._customer("pro")
        return self._start("dedicated", service(self._folder("dedicated"), one, "proxy"), one, 443)

    def tenant(self) -> Door:
        """The proxy of a customer of a shared host, as the host's own proxy reaches it."""
        one = self._customer("free")
        return self._start("tenant", service(self._folder("tenant"), one, "proxy"), one, 8080, f"{one.slug}-proxy")

    def edge(self) -> Door:
        """The proxy of a shared host, in front of `tenant`."""
        one = self._customer("free")
        bundle = render.host_bundle(
            fleet(plan="free").shared_hosts[0], proxy="p", acme_email="ops@gateway.test", own_ca=True
        )
        folder = self._folder("edge")
        (folder / "sites").mkdir()
        (folder / "sites" / "one.caddy").write_text(render.site(one))
        return self._start("edge", written(folder, bundle, "edge"), one, 443)

    def _customer(self, plan: str) -> CustomerLayout:
        return fleet(plan=plan).customers[0]

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def _start(self, name: str, proxy: Service, one: CustomerLayout, port: int, alias: str = "") -> Door:
        container = self.docker.name("rm", "--force")
        options = [f"--network={self.network}", *proxy.options("none")]
        options += [f"--network-alias={alias}"] if alias else []
        self.docker.run("run", "--detach", f"--name={container}", *options, self.image, *proxy.command, **SECRETS)
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = self.docker.run("inspect", "--format", form, container).strip()
        door = Door(container, address, port, one.fqdn, one.user)
        self._await(door)
        return door

    def _await(self, door: Door) -> None:
        end = time.monotonic() + START_SECONDS
        last: object = None
        while time.monotonic() < end:
            try:
                last = door.ask("/healthz")
                if last.status == 200:
                    return
            except OSError as error:
                last = error
            time.sleep(0.1)
        logs = self.docker.attempt("logs", "--tail", "30", door.name)
        raise AssertionError(f"the proxy does not serve: {last}\n{logs.stdout}{logs.stderr}")


def upgrade(*, connection: str = "Upgrade", kind: str = "websocket", key: str | None = None) -> Sequence[str]:
    """The headers with which a browser opens a WebSocket, or others."""
    key = base64.b64encode(b"0123456789abcdef").decode() if key is None else key
    headers = [f"Connection: {connection}", f"Upgrade: {kind}", "Sec-WebSocket-Version: 13"]
    return [*headers, *([f"Sec-WebSocket-Key: {key}"] if key else [])]
