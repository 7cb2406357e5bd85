"""`clawdet doctor`: what is there, where it came from, and what to do about what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clawdet_infra.cli.output import Exit, print_json, print_table
from clawdet_infra.cli.project import ROOT, CommandError, capture_json

_OF_A_CHECKOUT = re.compile(r"file://(?P<root>/.+)/\.clawdet/state/?(?:\?.*)?")
"""The state that `activate` sets up in a checkout."""
_PACKAGES = ("pulumi", "pulumi-hcloud", "pulumi-docker", "pulumi-command", "pulumi-random")
_PROGRAMS = {
    "docker": "the local cloud's servers are containers",
    "docker-registry": "the local cloud's image registry",
    "mmdebstrap": "builds the images of the local cloud",
    "nft": "the firewalls of the local cloud",
    "ssh": "`clawdet` logs in to servers with it",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.  `advice` says what to do or to know, and is empty where all is well."""

    name: str
    found: bool
    version: str
    source: str
    advice: str = ""


def doctor(json_output: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Say what is there, where it came from, which version, and what to do about each thing that is missing.

    Example: clawdet doctor
    """
    findings = [*_engine(), *_python(), *_programs(), _local_cloud(), _backend(), _stack(), _passphrase()]
    if json_output:
        print_json(findings)
    else:
        _show(findings)
    raise typer.Exit(Exit.OK if all(finding.found for finding in findings) else Exit.ERROR)


def _engine() -> list[Finding]:
    try:
        parts = capture_json([sys.executable, "-m", "toolchain", "status", "--json"], accepted=(0, 1))["parts"]
    except CommandError as error:
        return [Finding("engine", False, "", "", str(error))]
    return [
        Finding(part["name"], part["source"] != "missing", part["version"], part["source"], part["advice"])
        for part in parts
    ]


def _python() -> list[Finding]:
    findings = [Finding("python", True, platform.python_version(), sys.prefix)]
    for name in _PACKAGES:
        try:
            findings.append(Finding(name, True, importlib.metadata.version(name), "Python package"))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, False, "", "", "run: make setup"))
    return findings


def _programs() -> list[Finding]:
    findings = []
    for name, use in _PROGRAMS.items():
        path = shutil.which(name)
        advice = "" if path else f"{use}; run: scripts/system-packages"
        findings.append(Finding(name, path is not None, "", f"system ({path})" if path else "", advice))
    return findings


def _local_cloud() -> Finding:
    try:
        info = capture_json([sys.executable, "-m", "localcloud", "info", "--json"])
    except CommandError:
        return Finding("local cloud", True, "", "not running", "for a demo, run: clawdet cloud up")
    return Finding("local cloud", True, "", info["endpoint"])


def _backend() -> Finding:
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    if (other := other_checkout(backend)) is not None:
        advice = f"this is the state of another checkout, {other}; in a new shell, run: . {ROOT}/activate"
        return Finding("state", True, "", plain_address(backend), advice)
    return Finding("state", True, "", plain_address(backend) if backend else "the backend of `pulumi login`")


def other_checkout(backend: str) -> Path | None:
    """Return the checkout whose own state a backend is, if that is not this one."""
    own = _OF_A_CHECKOUT.fullmatch(backend)
    if own is None:
        return None
    other = Path(own["root"])
    return None if other.resolve() == ROOT.resolve() else other


def plain_address(backend: str) -> str:
    """Return a backend's address without a password in it."""
    return re.sub(r"(?<=://)[^/@]*@", "", backend)


def _stack() -> Finding:
    from clawdet_infra.inventory.selection import NoStackError, UnknownStackError, choose_stack, selected_stack

    try:
        name = choose_stack(None, ROOT)
    except (NoStackError, UnknownStackError) as error:
        return Finding("stack", True, "", "none", str(error))
    return Finding("stack", True, "", f"{name} ({'selected' if selected_stack(ROOT) else 'the only one'})")


def _passphrase() -> Finding:
    from clawdet_infra.config import passphrase

    if (given := passphrase.given(os.environ)) is not None:
        source = "the examples' public one, for local clouds alone" if given == passphrase.EXAMPLE else "environment"
        return Finding("passphrase", True, "", source)
    return Finding(
        "passphrase",
        False,
        "",
        "",
        f"the example stacks are encrypted with one; run: . {ROOT}/activate, or set PULUMI_CONFIG_PASSPHRASE_FILE",
    )


def _show(findings: list[Finding]) -> None:
    rows = [
        ("ok" if one.found else "missing", one.name, one.version, " - ".join(filter(None, (one.source, one.advice))))
        for one in findings
    ]
    print_table(rows, header=False)
