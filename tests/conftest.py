"""What all tests share: who runs beside whom, and the local cloud of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import ROOT

TEST_CLOUD = ROOT / ".clawdet" / "cloud" / "test"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that need machines share one worker, so that they share one cloud and two cores are not overrun.

    The mark is set as soon as the test is known: pytest-xdist reads the groups before any later hook of ours.
    """
    if item.get_closest_marker("cloud") and not item.get_closest_marker("xdist_group"):
        item.add_marker(pytest.mark.xdist_group("cloud"))


@pytest.fixture(scope="session")
def cloud() -> Iterator[dict[str, Any]]:
    """A local cloud with machines, of the tests' own; CLAWDET_TEST_KEEP=1 leaves it for the next run."""
    command = [sys.executable, "-m", "localcloud"]
    where = ["--name", "test", "--home", str(TEST_CLOUD)]
    up = subprocess.run([*command, "up", *where], cwd=ROOT, capture_output=True, text=True, check=False)
    assert up.returncode == 0, f"the local cloud did not start:\n{up.stdout}{up.stderr}"
    info = json.loads((TEST_CLOUD / "info.json").read_text())
    # The registry's certificate was signed by the local cloud's CA.
    os.environ["SSL_CERT_DIR"] = f"/etc/ssl/certs:{info['ca_directory']}"
    yield info
    if not os.environ.get("CLAWDET_TEST_KEEP"):
        subprocess.run([*command, "destroy", *where], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="session")
def cloud_info(cloud: dict[str, Any]) -> Path:
    """The file by which a stack finds the tests' cloud."""
    return TEST_CLOUD / "info.json"
