"""What the containers of a deployment's last failed attempt printed, and the line of it that says why.

failed/about.json     the release, its gateway's image, when it failed and why, and which services have a log
failed/SERVICE.log    the end of what each container printed

It is kept until the next attempt fails: what failed is removed or replaced at once, and its log with it.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from clawdet_infra.agent.containers import Project
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.files import write
from clawdet_infra.agent.names import FAILED
from clawdet_infra.agent.releases import Release
from clawdet_infra.redaction import Redactor, values_of

_KEPT_LINES = 2000
_KEPT_CHARACTERS = 512 * 1024
_READ_LINES = 200
_TIME = re.compile(r"^\[?\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\]?\s+")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# `Error: …`, `TypeError [CODE]: …`, `fatal: …`, `[error] …`, `level=error …`, `"level":"error"`, `ERROR …`.
_ERROR = re.compile(
    r"(?i:\b\w*(?:error|exception|fatal|panic)(?: \[\w+\])?\s*(?:[:\]]|!))"
    r"|(?i:\blevel\"?[=:]\s*\"?(?:error|fatal|panic))"
    r"|^(?:ERROR|FATAL|CRITICAL)\b"
)
_COMPLAINT = re.compile(
    r"(?i)\b(?:failed|failure|cannot|can't|could not|unable|invalid|not found|no such|denied|refus\w+|missing"
    r"|unknown)\b"
)
_STACK = re.compile(r"^(?:at |File \"|Node\.js v|\^+$|[{}\[\]();,]*$|throw )")


def error_line(log: str) -> str:
    """Return the line of a log that says why the program ended: its last error, else its last complaint or line.

    Stack traces follow an error, so the last line is seldom the one.  "" for an empty log.
    """
    lines = [_TIME.sub("", _COLOUR.sub("", line).strip()) for line in log.splitlines()]
    lines = [line for line in lines if line and not _STACK.match(line)]
    for pattern in (_ERROR, _COMPLAINT):
        if found := [line for line in lines if pattern.search(line)]:
            return found[-1]
    return lines[-1] if lines else ""


def log_reason(project: Project, service: str) -> str:
    """Return in a few words what a service's log says of its end."""
    line = error_line(project.logs(service, _READ_LINES))
    return f"its log says: {line}" if line else "its log is empty"


def keep(project: Project, directory: Path, release: Release, error: Exception) -> None:
    """Keep what the containers of a failed attempt printed, without the customer's secrets.

    `project` is that of the attempt, and `directory` the deployment's folder.  Does not raise: the attempt's own error
    matters more.
    """
    with contextlib.suppress(DeploymentError, OSError, ValueError, KeyError):
        redact = Redactor(values_of((release.folder / ".env").read_text()).values())
        new, kept = directory / f".new-{FAILED}", directory / FAILED
        shutil.rmtree(new, ignore_errors=True)
        services = sorted({one.service for one in project.containers()})
        for service in services:
            text = redact(project.logs(service, _KEPT_LINES))[-_KEPT_CHARACTERS:]
            write(new / f"{service}.log", text.encode(), 0o600)
        about = {
            "release": release.number,
            "image": release.facts["images"].get("gateway", ""),
            "at": f"{datetime.now(UTC):%FT%TZ}",
            "error": redact.line(str(error), 900),
            "services": services,
        }
        write(new / "about.json", json.dumps(about).encode(), 0o600)
        shutil.rmtree(kept, ignore_errors=True)
        new.rename(kept)
