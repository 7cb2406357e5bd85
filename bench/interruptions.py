"""For how long callers get no answer while a deployment changes what a customer has.

One server of a local cloud has an enterprise customer, another one an edge proxy and a free customer. Each change is
deployed while two callers ask for the customer's page again and again, each time over a connection of its own. A change
is counted from its first request that got no page of the gateway's to its last: `refused` got no answer at all, `502`
and `503` are the proxy's answers in the gateway's place.

The gateway is the stand-in of the tests, or with `CLAWDET_TEST_GATEWAY=openclaw` the real one.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.machine import facts, spread
from bench.up_to_healthy import own_cloud, read_options
from clawdet_infra import render
from clawdet_infra.layout import CustomerLayout
from tests.contract.deploy.place import Place, give_back, make_place, password, token

CALLERS = 2
PAUSE_SECONDS = 0.02
AFTER_SECONDS = 2.0


@dataclass
class Calls:
    """Asks for a customer's page until it is stopped, and keeps what came of it and when."""

    place: Place
    customer: CustomerLayout
    came: list[tuple[float, float, str]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Calls:
        pair = f"{self.customer.user}:{password(self.customer.id)}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "text/html"}
        self._trust = ssl.create_default_context(cafile=self.place.cloud["ca"])
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.is_set():
            begun = time.monotonic()
            outcome = self._once()
            self.came.append((begun, time.monotonic(), outcome))
            self._over.wait(PAUSE_SECONDS)

    def _once(self) -> str:
        with (
            suppress(OSError, http.client.HTTPException),
            socket.create_connection((self.place.address, 443), timeout=5) as plain,
            self._trust.wrap_socket(plain, server_hostname=self.customer.fqdn) as secret,
        ):
            connection = http.client.HTTPSConnection(self.customer.fqdn, timeout=5)
            connection.sock = secret
            connection.request("GET", "/", headers=self._headers)
            return str(connection.getresponse().status)
        return "refused"


def certified(place: Place, customer: CustomerLayout) -> None:
    """Wait until the customer's page is there."""
    end = time.monotonic() + 60
    with Calls(place, customer) as calls:
        while not any(outcome == "200" for _, _, outcome in calls.came):
            assert time.monotonic() < end, Counter(outcome for _, _, outcome in calls.came)
            time.sleep(0.2)


def away(calls: Calls) -> tuple[float, dict[str, float]]:
    """Seconds from the first request without the page to the last, and of these what they got."""
    bad = sorted(one for one in calls.came if one[2] != "200")
    shares: dict[str, float] = defaultdict(float)
    for begun, end, outcome in bad:
        shares[outcome] += (end - begun + PAUSE_SECONDS) / CALLERS
    return (max(end for _, end, _ in bad) - bad[0][0] if bad else 0.0), dict(shares)


def payload(place: Place, customer: CustomerLayout, number: int, what: str) -> str:
    """A deployment of the customer that differs from that of another number in one thing."""
    email = f"ops{number if what == 'Caddyfile' else 0}@deploy.test"
    if what == "gateway":
        customer = replace(customer, limits=customer.limits.model_copy(update={"pids": 300 + number}))
    bundle = render.bundle(customer, images=place.images, acme=place.acme, acme_email=email, offline=True)
    if what == "proxy":
        file = bundle.files["compose.yaml"]
        text = file.content.replace("GOMEMLIMIT: 200MiB", f"GOMEMLIMIT: {200 + number}MiB")
        bundle = replace(bundle, files={**bundle.files, "compose.yaml": replace(file, content=text)})
    secrets = render.environment(
        customer.customer, gateway_token=token(customer.id), auth_password=password(customer.id)
    )
    return render.payload(customer, bundle, secrets)


def measure(name: str, place: Place, customer: CustomerLayout, make: Callable[[int], str], repeat: int) -> None:
    total: list[float] = []
    got: dict[str, list[float]] = defaultdict(list)
    for number in range(1, repeat + 1):
        with Calls(place, customer) as calls:
            time.sleep(1)
            place.must_deploy(make(number))
            time.sleep(AFTER_SECONDS)
        seconds, shares = away(calls)
        total.append(seconds)
        for outcome, share in shares.items():
            got[outcome].append(share)
    parts = ", ".join(f"{outcome} {spread(shares)}" for outcome, shares in sorted(got.items()))
    print(f"{name:42} {spread(total)}{f'; of it {parts}' if parts else ''}", flush=True)


def run(info: Path, repeat: int) -> None:
    cloud = json.loads(info.read_text())
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        own = make_place(cloud, Path(first), "bench-dedicated", "cx33")
        shared = make_place(cloud, Path(second), "bench-shared", "cx33")
        try:
            big, anna = own.customer("big"), shared.customer("anna")
            own.must_deploy(payload(own, big, 0, "gateway"))
            shared.must_deploy(shared.edge_payload())
            shared.must_deploy(payload(shared, anna, 0, "gateway"))
            certified(own, big)
            certified(shared, anna)
            measure("Caddyfile, own server", own, big, lambda n: payload(own, big, n, "Caddyfile"), repeat)
            measure(
                "Caddyfile of the edge, shared host",
                shared,
                anna,
                lambda n: shared.edge_payload(f"o{n}@deploy.test"),
                repeat,
            )
            measure("proxy recreated, own server", own, big, lambda n: payload(own, big, n, "proxy"), repeat)
            measure("proxy recreated, shared host", shared, anna, lambda n: payload(shared, anna, n, "proxy"), repeat)
            measure("gateway recreated, own server", own, big, lambda n: payload(own, big, n, "gateway"), repeat)
        finally:
            give_back(own)
            give_back(shared)


def main() -> None:
    options = read_options(__doc__)
    print(facts(), flush=True)
    if options.cloud:
        run(options.cloud.resolve(), options.repeat)
    else:
        with tempfile.TemporaryDirectory() as folder, own_cloud(Path(folder) / "cloud") as info:
            run(info, options.repeat)


if __name__ == "__main__":
    main()
