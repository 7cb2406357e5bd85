from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from tests.contract.alerts.receivers import Mail, Web


@pytest.fixture
async def receiver() -> AsyncIterator[Web]:
    receiver = Web()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def mail() -> AsyncIterator[Mail]:
    mail = Mail()
    await mail.start()
    yield mail
    await mail.stop()


@pytest.fixture
def closed_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
