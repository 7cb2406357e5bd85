"""What a failed test of a deployment shows: the last lines of each log on the servers that it used.

A fixture's value that has a method `logs()`, which returns text, is asked for it when a test that uses it fails.
tests/conftest.py imports the hook that does so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import pytest

from clawdet_infra import secret_shapes
from clawdet_infra.redaction import HIDDEN, Redactor

LINES = 40
"""How many lines of each log are shown."""

# What logs hold besides: the beginnings of gateways' tokens, which are passwords, and what goes with basic auth.
# Digests of images stay: they say what ran.
_SECRETS = (
    re.compile(r"(?<![0-9a-f])(?<!sha256:)[0-9a-f]{16,}"),
    re.compile(r"(?<=Basic )[A-Za-z0-9+/]{8,}=*"),
)

_COMMAND = rf"""
exec 2>&1
docker="timeout 10 docker"
echo "== containers"
$docker ps --all --format '{{{{.Names}}}}: {{{{.Image}}}}, {{{{.Status}}}}'
for name in $($docker ps --all --format '{{{{.Names}}}}' | grep -E -- '-(gateway|proxy|edge)-[0-9]+$' | sort); do
    echo "== log of $name"
    $docker logs --tail {LINES} "$name"
done
echo "== log of the guard"
timeout 10 journalctl --unit clawdet-guard.service --output short-iso --lines {LINES} --no-pager --quiet
true
"""


def server_logs(run: Callable[[str], str], *, deployment: str = "", secrets: Iterable[str] = ()) -> str:
    """Return the last lines of the logs of a server's gateways and proxies and of its guard.

    `run` runs a shell command on the server and returns what it printed. `deployment` is what the last deployment
    printed, which no file on the server has. `secrets` are hidden, and so is all that looks like a secret of ours.
    """
    parts = [run(_COMMAND).rstrip()]
    if deployment.strip():
        parts += ["== the last deployment", *deployment.rstrip().splitlines()[-LINES:]]
    return redacted("\n".join(parts), secrets)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without these secrets and without what has the form of one."""
    text = secret_shapes.redacted(Redactor(secrets)(text))
    for form in _SECRETS:
        text = form.sub(HIDDEN, text)
    return text


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of its servers to the report of a test that failed."""
    report = yield
    if report.when in ("setup", "call") and report.failed:
        # Two fixtures may give the same server.
        for name, value in {id(value): (name, value) for name, value in _values(item)}.values():
            if callable(logs := getattr(value, "logs", None)):
                report.sections.append((f"logs of {name}", _text(logs)))
    return report


def _values(item: pytest.Item) -> Iterator[tuple[str, Any]]:
    """The values of the test's fixtures, also of those that it has by way of others, as far as they were made."""
    info = getattr(item, "_fixtureinfo", None)
    for name, definitions in (info.name2fixturedefs if info else {}).items():
        cached = definitions[-1].cached_result
        if cached is not None and cached[2] is None:
            yield name, cached[0]


def _text(logs: Callable[[], str]) -> str:
    try:
        return logs()
    except Exception as error:  # The report is of another failure, which this one must not hide.
        return redacted(f"the logs could not be read: {type(error).__name__}: {error}")
