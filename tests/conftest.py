"""What all tests share: the local clouds, and which tests run on the same worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import local_cloud
from tests.support.live import ask, fleet, fleet_session
from tests.support.logs import pytest_runtest_makereport
from tests.support.parts import pytest_runtest_logreport, pytest_terminal_summary
from tests.support.stack import PASSPHRASE

__all__ = [
    "ask",
    "cloud",
    "fleet",
    "fleet_session",
    "machines_cloud",
    "pytest_runtest_logreport",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
]

# Some tests fork this process, which may have run Pulumi's program by then; gRPC's handlers of forks break the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# An activated shell has the examples' passphrase, which a fleet outside of a local cloud refuses.
os.environ.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
os.environ["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE

_GROUPS = {"e2e": "fleet", "operations": "fleet", "signups": "signups", "deploy": "deploy"}
"""The pytest-xdist group of each folder of tests that share servers."""


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C and SIGTERM end a run, with its workers and with a report of the failures so far.

    A shell lets programs in the background ignore Ctrl-C, and programs that the tests start would inherit that.
    """
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests that share servers on one worker.

    pytest-xdist reads the groups before any later hook of ours, so the mark is set as soon as a test is known.
    """
    if item.get_closest_marker("cloud") and not item.get_closest_marker("xdist_group"):
        item.add_marker(pytest.mark.xdist_group(_GROUPS.get(item.path.parent.name, "machines")))


@pytest.fixture(scope="session")
def cloud() -> Iterator[dict[str, Any]]:
    """A local cloud with machines for fleets. Tests on it share it: each has a domain and names of its own."""
    with local_cloud("test-fleets") as info:
        yield info


@pytest.fixture(scope="session")
def machines_cloud() -> Iterator[dict[str, Any]]:
    """A local cloud with machines for tests of the cloud itself, which restart its daemon and its servers."""
    with local_cloud("test-machines") as info:
        yield info
