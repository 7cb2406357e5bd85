"""Finds the template to fix: file and line of a rendered service, or of an error of the template engine."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from clawdet_infra.agent import package

_SHARED = "services.j2"
_MACRO = re.compile(r"{%-?\s*macro (?P<name>\w+)\(")

Place = tuple[str, int | None]


def of_service(template: str, service: str | None) -> Place:
    """Return file and line of a service in a compose template: in the template itself, or its macro."""
    written = re.compile(rf"^  {re.escape(service)}:") if service else None
    for name, pattern in ((template, written), (_SHARED, service and _MACRO)):
        for number, line in enumerate(_lines(name) if pattern else (), start=1):
            match = pattern.search(line) if isinstance(pattern, re.Pattern) else None
            if match and (match.groupdict().get("name") or service) == service:
                return _shown(name), number
    return _shown(template), None


def of_error(template: str, error: Exception) -> tuple[Place, str | None]:
    """Return file and line at which filling a template failed, and the service that was being rendered."""
    name, line = getattr(error, "name", None), getattr(error, "lineno", None)
    frames = [(str(name), int(line))] if name and line else _frames(error)
    if not frames:
        return (_shown(template), None), None
    # From the template inwards: a service's macro calls shared macros.
    services = [service for file, number in frames if (service := _macro_at(file, number))]
    file, number = frames[-1]
    return (_shown(file), number), services[0] if services else None


def _frames(error: Exception) -> list[tuple[str, int]]:
    """Return the template lines in an error's traceback, the outermost first."""
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(package.TEMPLATES) and frame.lineno:
            found.append((str(path.relative_to(package.TEMPLATES)), frame.lineno))
    return found


def _macro_at(file: str, line: int) -> str | None:
    """Return the service whose macro contains a line; None outside of such macros."""
    text = _lines(file)
    starts = [(number, match["name"]) for number, one in enumerate(text, 1) if (match := _MACRO.search(one))]
    number, name = max((start for start in starts if start[0] <= line), default=(0, ""))
    # A macro for a service begins with the service's name.
    body = (one for one in text[number:] if not one.startswith("#"))
    return name if name and next(body, "") == f"{name}:" else None


def of_config(name: str) -> Place:
    """Return the template or plain file from which a bundle's configuration file is rendered."""
    found = [path for path in sorted(package.TEMPLATES.rglob(f"{name}*")) if path.name in (name, f"{name}.j2")]
    return _shown(str(found[0].relative_to(package.TEMPLATES)) if found else name), None


def _lines(template: str) -> list[str]:
    try:
        return (package.TEMPLATES / template).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _shown(template: str) -> str:
    return f"templates/{template}"
