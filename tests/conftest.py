"""What all tests share: who runs beside whom, and the local cloud of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import local_cloud

_CLOUD = "test"
_GROUPS = {"e2e": "cloud-e2e", "operations": "cloud-operations", "signups": "cloud-e2e"}
"""Folders whose tests have a cloud of their own, so that they run beside the others.

Two of them run one after the other all the same: more gateways that start at a time would make the tests that watch
for repairs see the load.
"""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that share the machines of a cloud share one worker.

    The mark is set as soon as the test is known: pytest-xdist reads the groups before any later hook of ours.
    """
    if item.get_closest_marker("cloud") and not item.get_closest_marker("xdist_group"):
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(_GROUPS.get(folder, "cloud")))


@pytest.fixture(scope="session")
def cloud() -> Iterator[dict[str, Any]]:
    """A local cloud with machines."""
    with local_cloud(_CLOUD) as info:
        yield info
