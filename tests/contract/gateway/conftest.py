"""A Docker of this machine, and gateways in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.gateway.containers import SECRETS, Docker, Lab, Service, customer, docker, service
from tests.support.gateways import OPENCLAW, STAND_IN


@pytest.fixture(scope="package")
def outer() -> Iterator[Docker]:
    with docker() as found:
        yield found


@pytest.fixture(scope="package")
def network(outer: Docker) -> str:
    """A network without a way out, as a customer's server has one for the gateway and the proxy."""
    name = outer.name("network", "rm")
    outer.run("network", "create", "--internal", name)
    return name


@pytest.fixture(scope="package")
def stand_in(outer: Docker, network: str) -> Lab:
    reference = STAND_IN.partition("/")[2]
    outer.image(reference)
    return Lab(outer, outer.loaded(reference), network)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("stand-in", id="stand-in"),
        pytest.param("openclaw", id="openclaw", marks=pytest.mark.real_gateway),
    ],
)
def lab(request: pytest.FixtureRequest, stand_in: Lab) -> Lab:
    """The stand-in, and in the long tier the real gateway too."""
    if request.param == "stand-in":
        return stand_in
    reference = OPENCLAW.partition("/")[2]
    stand_in.docker.image(reference)
    return Lab(stand_in.docker, stand_in.docker.loaded(reference), stand_in.network)


@pytest.fixture(scope="package")
def neighbour(stand_in: Lab) -> str:
    """A container on the network, where a customer's proxy would be."""
    name = stand_in.docker.name("rm", "--force")
    options = ("--detach", f"--name={name}", f"--network={stand_in.network}", "--entrypoint=sleep")
    stand_in.docker.run("run", *options, stand_in.image, "infinity")
    return name


@pytest.fixture(scope="package")
def pro(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The deployment of a customer without channels."""
    return service(tmp_path_factory.mktemp("pro"), customer())


@pytest.fixture(scope="package")
def online(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The deployment of a customer with a Telegram channel that is on."""
    one = customer(telegramBotToken=SECRETS["TELEGRAM_BOT_TOKEN"])
    return service(tmp_path_factory.mktemp("online"), one, offline=False)
