"""A local cloud for each test; where a description of the real API is at hand, all it answers is checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hcloud import Client

from tests.contract.hcloud_api.openapi import checker, description_path
from tests.contract.hcloud_api.running import RunningCloud, running_cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    """A fresh local cloud, whose answers must all be ones that the real API could give."""
    with running_cloud(tmp_path) as running:
        yield running
    check_answers(running)


@pytest.fixture
def client(cloud: RunningCloud) -> Client:
    """Hetzner's own client for it."""
    return cloud.client()


def check_answers(cloud: RunningCloud) -> None:
    """Fail where an answer is not one of the real API's; does nothing where its description is not at hand."""
    path = description_path()
    if path is not None:
        api = checker(path)
        problems = [problem for exchange in cloud.recorder.exchanges for problem in api.problems(exchange)]
        assert not problems, "answers that differ from the real API's:\n" + "\n".join(problems[:20])
