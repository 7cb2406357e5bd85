from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.probe import Target
from tests.unit.probe.world import HOST, PASSWORD, TOKEN, USER, Authority, Gateway, Names


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    names = Names()
    await names.start()
    yield names
    names.stop()


@pytest.fixture
async def gateway(authority: Authority) -> AsyncIterator[Gateway]:
    gateway = Gateway()
    await gateway.start(authority.context())
    yield gateway
    await gateway.stop()


@pytest.fixture
def target(authority: Authority, names: Names, gateway: Gateway) -> Callable[..., Target]:
    """Make a target: the healthy gateway, but for what is given."""

    def make(**changes: Any) -> Target:
        fields = {
            "customer": "user123",
            "url": f"https://{HOST}:{gateway.port}",
            "user": USER,
            "password": PASSWORD,
            "gateway_token": TOKEN,
            "ipv4": "127.0.0.1",
            "resolver": names.address,
            "ca_bundle": str(authority.bundle),
            "deadline_seconds": 5,
            "request_seconds": 2,
        }
        return Target.model_validate(fields | changes)

    return make
