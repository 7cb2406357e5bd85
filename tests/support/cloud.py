"""Local clouds with machines, of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.stack import ROOT


def home_of(name: str) -> Path:
    """The folder of a cloud."""
    return ROOT / ".clawdet" / "cloud" / name


def info_of(cloud: Mapping[str, Any]) -> Path:
    """The file by which a stack finds a cloud."""
    return home_of(str(cloud["name"])) / "info.json"


@contextmanager
def local_cloud(name: str, *options: str) -> Iterator[dict[str, Any]]:
    """A cloud that is up, and what it says of itself; CLAWDET_TEST_KEEP=1 leaves it for the next run.

    `options` are further ones of `clawdet cloud up`.
    """
    command = [sys.executable, "-m", "localcloud"]
    where = ["--name", name, "--home", str(home_of(name))]
    up = subprocess.run([*command, "up", *where, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert up.returncode == 0, f"the local cloud did not start:\n{up.stdout}{up.stderr}"
    info = json.loads(info_of({"name": name}).read_text())
    # The registry's certificate was signed by the local cloud's CA.
    before = os.environ.get("SSL_CERT_DIR")
    os.environ["SSL_CERT_DIR"] = f"{before or '/etc/ssl/certs'}:{info['ca_directory']}"
    yield info
    if before is None:
        del os.environ["SSL_CERT_DIR"]
    else:
        os.environ["SSL_CERT_DIR"] = before
    if not os.environ.get("CLAWDET_TEST_KEEP"):
        subprocess.run([*command, "destroy", *where], cwd=ROOT, check=True, capture_output=True)
