"""What can be set about operations, and how it is read from `operations.yaml`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.formatting.durations import Seconds
from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.checks.policy import CheckPolicy
from clawdet_infra.monitoring.daemon.document import DocumentError, parse
from clawdet_infra.monitoring.daemon.old_keys import origin, with_new_keys
from clawdet_infra.monitoring.history.policy import Retention
from clawdet_infra.monitoring.remediation.policy import RemediationPolicy

log = logging.getLogger(__name__)

VARIABLE = "CLAWDET_OPERATIONS"
"""Names the file where no option does."""


class DaemonConfigError(ValueError):
    """The file cannot be used; the text has a line for everything that is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class DaemonConfig:
    """Everything that can be set about looking after a fleet.

    A check cycle begins every `interval_seconds`, or if one takes longer, at the next multiple of that.  The inventory
    is read again every `inventory_interval_seconds`, the history is aggregated every `aggregation_interval_seconds`.
    On a signal to stop, repairs under way get `shutdown_timeout_seconds` to end.
    """

    interval_seconds: Seconds = 60
    inventory_interval_seconds: Seconds = 300
    aggregation_interval_seconds: Seconds = 300
    shutdown_timeout_seconds: Seconds = 20
    checks: CheckPolicy = field(default_factory=CheckPolicy)
    remediation: RemediationPolicy = field(default_factory=RemediationPolicy)
    alerts: AlertPolicy = field(default_factory=AlertPolicy)
    retention: Retention = field(default_factory=Retention)

    def __post_init__(self) -> None:
        for name in ("interval_seconds", "inventory_interval_seconds", "aggregation_interval_seconds"):
            if not getattr(self, name) >= 1 or math.isinf(getattr(self, name)):
                raise ValueError(f"{name} must be at least 1 s, not {getattr(self, name):g} s")
        if self.shutdown_timeout_seconds < 0:
            raise ValueError(
                f"shutdown_timeout_seconds must not be less than 0 s, not {self.shutdown_timeout_seconds:g} s"
            )

    @property
    def longest_gap(self) -> timedelta:
        """How far two looks may be apart for the time between them to count: a round may be missed."""
        return timedelta(seconds=max(150.0, 2.5 * self.interval_seconds))


def load_config(file: Path, *, required: bool = True, warn: Callable[[str], None] = log.warning) -> DaemonConfig:
    """Return what a file says, with the defaults for what it leaves out.

    A file that is missing and not `required` stands for all defaults.  `warn` is called for each key that has another
    name now.  Raises DaemonConfigError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not required:
            return DaemonConfig()
        raise DaemonConfigError(f"there is no file {file}") from None
    except OSError as error:
        raise DaemonConfigError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DaemonConfigError(f"{file} is not UTF-8 text") from None
    try:
        document: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # A ValueError is for a date or number that cannot be.
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise DaemonConfigError(f"{file}{where}: this is not YAML") from None
    lines = _lines(text)
    origins: dict[tuple[str, ...], tuple[str, ...]] = {}
    try:
        document, origins = with_new_keys(
            document or {}, lambda place, what: warn(f"{file}:{_line(lines, place)}: {what}")
        )
        return parse(DaemonConfig, document)
    except DocumentError as error:
        problems = [(origin(place, origins), what) for place, what in error.problems]
        found = sorted((_line(lines, place), f"{'.'.join(place)}: {what}") for place, what in problems)
        raise DaemonConfigError("\n".join(f"{file}:{line}: {what}" for line, what in found)) from None


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
