"""What can be set about operations, and how it is read from `operations.yaml`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.checks.policy import RoundPolicy
from clawdet_infra.monitoring.daemon.document import DocumentError, parse
from clawdet_infra.monitoring.history.policy import Retention
from clawdet_infra.monitoring.remediation.policy import HealingPolicy

log = logging.getLogger(__name__)

VARIABLE = "CLAWDET_OPERATIONS"
"""Names the file where no option does."""

_RENAMED = {
    ("retention", "looks"): "samples",
    ("retention", "days"): "aggregates",
    # What was kept for so long is not kept at all any more.
    ("retention", "fiveMinutes"): None,
    ("retention", "hours"): None,
}
"""Keys of the version before, each with its name of now; None for one without effect."""


class OperationsError(ValueError):
    """The file cannot be used; the text has a line for everything that is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Everything that can be set about looking after a fleet.

    A round begins every `interval_seconds`, or where one takes longer, at the next multiple of that.  The inventory is
    read again every `inventory_seconds`, and the history is aggregated and pruned every `upkeep_seconds`.  On a signal
    to stop, repairs under way get `stop_seconds` to end.
    """

    interval_seconds: float = 60
    inventory_seconds: float = 300
    upkeep_seconds: float = 300
    stop_seconds: float = 20
    rounds: RoundPolicy = field(default_factory=RoundPolicy)
    healing: HealingPolicy = field(default_factory=HealingPolicy)
    alerts: AlertPolicy = field(default_factory=AlertPolicy)
    retention: Retention = field(default_factory=Retention)

    def __post_init__(self) -> None:
        for name in ("interval_seconds", "inventory_seconds", "upkeep_seconds"):
            if not getattr(self, name) >= 1 or math.isinf(getattr(self, name)):
                raise ValueError(f"{name} has to be at least 1, not {getattr(self, name):g}")
        if self.stop_seconds < 0:
            raise ValueError(f"stop_seconds must not be less than 0, not {self.stop_seconds:g}")

    @property
    def longest_gap(self) -> timedelta:
        """How far two looks may be apart for the time between them to count: a round may be missed."""
        return timedelta(seconds=max(150.0, 2.5 * self.interval_seconds))


def load_operations(file: Path, *, required: bool = True, warn: Callable[[str], None] = log.warning) -> Operations:
    """Return what a file says, with the defaults for what it leaves out.

    A file that is missing and not `required` stands for all defaults.  `warn` is called for each key that has another
    name now.  Raises OperationsError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not required:
            return Operations()
        raise OperationsError(f"there is no file {file}") from None
    except OSError as error:
        raise OperationsError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OperationsError(f"{file} is not UTF-8 text") from None
    try:
        document: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # A ValueError is for a date or number that cannot be.
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise OperationsError(f"{file}{where}: this is not YAML") from None
    try:
        return parse(Operations, _with_new_keys(document or {}, lambda text: warn(f"{file}: {text}")))
    except DocumentError as error:
        lines = _lines(text)
        raise OperationsError(
            "\n".join(f"{file}:{_line(lines, place)}: {'.'.join(place)}: {what}" for place, what in error.problems)
        ) from None


def _with_new_keys(document: Any, warn: Callable[[str], None]) -> Any:
    """Return a document with the keys of now.  A key that is there by its new name too keeps that value."""
    for (section, old), new in _RENAMED.items():
        values = document.get(section) if isinstance(document, Mapping) else None
        if not isinstance(values, Mapping) or old not in values:
            continue
        rest = {key: value for key, value in values.items() if key != old}
        if new is None:
            warn(f"{section}.{old} has no effect any more; remove it")
        else:
            warn(f"{section}.{old} is now called {section}.{new}; the old name works in this version for the last time")
            rest.setdefault(new, values[old])
        document = {**document, section: rest}
    return document


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of every key, by its path."""
    found: dict[tuple[str, ...], int] = {}

    def walk(node: yaml.Node | None, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                found[*path, str(key.value)] = key.start_mark.line + 1
                walk(value, (*path, str(key.value)))

    walk(yaml.compose(text), ())
    return found


def _line(lines: dict[tuple[str, ...], int], place: tuple[str, ...]) -> int:
    """Return the line of a key, or of the nearest one around it."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)
