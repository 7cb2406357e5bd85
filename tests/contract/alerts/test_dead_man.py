from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from clawdet_infra.monitoring.alerts.heartbeat import Heartbeat
from tests.contract.alerts.receivers import Web

CANARY = "0f3a7b1c-c4nary"


def dead_man(port: int, seconds: float = 1) -> Heartbeat:
    return Heartbeat(SecretStr(f"http://127.0.0.1:{port}/{CANARY}?x=1"), seconds=seconds)


async def test_each_round_fetches_the_address(receiver: Web) -> None:
    assert await dead_man(receiver.port).ping() is None
    assert receiver.paths == [f"/{CANARY}"]


async def test_a_round_that_failed_says_so(receiver: Web) -> None:
    assert await dead_man(receiver.port).ping(failed=True) is None
    assert receiver.paths == [f"/{CANARY}/fail"]


@pytest.mark.parametrize("status", [404, 500, None])
async def test_what_goes_wrong_is_a_sentence_without_the_address(
    receiver: Web, status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger().setLevel(1)
    receiver.status = status
    problem = await dead_man(receiver.port, seconds=0.3).ping()
    expected = "did not answer within 0.3 s" if status is None else f"answered HTTP {status}"
    assert problem == f"the heartbeat service 127.0.0.1 {expected}"
    assert CANARY not in caplog.text


async def test_a_service_that_is_not_there_is_a_sentence_too(closed_port: int) -> None:
    problem = await dead_man(closed_port).ping()
    assert problem is not None
    assert problem.startswith("the heartbeat service 127.0.0.1 cannot be reached")
    assert CANARY not in problem
