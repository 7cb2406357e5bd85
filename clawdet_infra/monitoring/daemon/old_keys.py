"""Keys of `operations.yaml` by the names that they had before: they work, with a warning, until the next release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clawdet_infra.monitoring.daemon.document import DocumentError

Path = tuple[str, ...]

SECTIONS = {"rounds": "checks", "healing": "remediation"}
RENAMED: dict[str, str | None] = {
    "intervalSeconds": "interval",
    "inventorySeconds": "inventoryInterval",
    "upkeepSeconds": "aggregationInterval",
    "stopSeconds": "shutdownTimeout",
    "rounds.slowSeconds": "checks.latencyThreshold",
    "rounds.requestSeconds": "checks.requestTimeout",
    "rounds.lookSeconds": "checks.probeTimeout",
    "rounds.confirm": "checks.confirm",
    "rounds.confirmPauseSeconds": "checks.confirmDelay",
    "rounds.atOnce": "checks.concurrency",
    "rounds.openAtOnce": "checks.maxInFlight",
    "rounds.workingSeconds": "checks.slotTimeout",
    "rounds.spreadSeconds": "checks.jitter",
    "rounds.hostsAtOnce": "checks.hostConcurrency",
    "rounds.hostSeconds": "checks.hostTimeout",
    "rounds.allHostsEvery": "checks.fullHostCheckEvery",
    "rounds.deadlineSeconds": "checks.cycleTimeout",
    "healing.failures": "remediation.failureThreshold",
    "healing.cooldownSeconds": "remediation.cooldown",
    "healing.repairs": "remediation.maxRepairs",
    "healing.windowSeconds": "remediation.repairWindow",
    "healing.reboots": "remediation.maxReboots",
    "healing.rebootSeconds": "remediation.rebootWindow",
    "healing.stepSeconds": "remediation.stepTimeout",
    "healing.settleSeconds": "remediation.recoveryTimeout",
    "healing.concurrency": "remediation.concurrency",
    "healing.brakeShare": "remediation.circuitBreaker.maxDownRatio",
    "healing.brakeLeast": "remediation.circuitBreaker.minServers",
    "alerts.raiseFailures": "alerts.failureThreshold",
    "alerts.raiseAfter": "alerts.maxDelay",
    "alerts.raiseAfterFailures": "alerts.maxDelayFailures",
    "alerts.slowLooks": "alerts.slowThreshold",
    "alerts.resolveLooks": "alerts.successThreshold",
    "alerts.fleetShare": "alerts.fleetOutage.maxDownRatio",
    "alerts.fleetServers": "alerts.fleetOutage.minServers",
    "alerts.channelLooks": "alerts.channelThreshold",
    "alerts.certificateDays": "alerts.certificateExpiry",
    "alerts.flapCalmLooks": "alerts.flapSuccessThreshold",
    "retention.looks": "retention.samples",
    "retention.days": "retention.aggregates",
    # What was kept for so long is not kept at all any more.
    "retention.fiveMinutes": None,
    "retention.hours": None,
}
"""Each key of before, with its name of now; None for one without effect."""
_DAYS = "alerts.certificateDays"


def with_new_keys(document: Any, warn: Callable[[Path, str], None]) -> tuple[Any, dict[Path, Path]]:
    """Return a document with the keys of now, and where each of them is in the document, if that is elsewhere.

    `warn` gets the place of each key of before, and a sentence.  Raises DocumentError if a key is set by both names.
    """
    if not isinstance(document, Mapping):
        return document, {}
    found: dict[str, Any] = {}
    moved: list[tuple[Path, Any]] = []
    for place, value in _entries(document):
        if _is_old(place):
            moved.append((place, value))
        else:
            _put(found, place, value)
    origins: dict[Path, Path] = {}
    warned: set[tuple[str, str]] = set()
    problems: list[tuple[Path, str]] = []
    for place, value in moved:
        old = ".".join(place)
        new = RENAMED.get(old, ".".join((SECTIONS.get(place[0], place[0]), *place[1:])))
        if new is None:
            warn(place, f"{old} has no effect any more; remove it")
            continue
        target = tuple(new.split("."))
        if _has(found, target):
            problems.append((place, f"is the old name of {new}, which is set too; remove {old}."))
            continue
        said = (old, new) if old in RENAMED else (place[0], SECTIONS[place[0]])
        if said not in warned:
            warn(place, f"{said[0]} is now {said[1]}; the old name works in this version for the last time")
            warned.add(said)
        _put(found, target, _days(value) if old == _DAYS else value)
        origins[target] = place
        if place[0] in SECTIONS and SECTIONS[place[0]] not in document:
            origins[target[:1]] = place[:1]
    if problems:
        raise DocumentError(problems)
    return found, origins


def origin(place: Path, origins: Mapping[Path, Path]) -> Path:
    """Return where in the document a key of now, or one below it, comes from."""
    for length in range(len(place), 0, -1):
        if (found := origins.get(place[:length])) is not None:
            return (*found, *place[length:])
    return place


def _entries(document: Mapping[Any, Any]) -> list[tuple[Path, Any]]:
    """Return the keys of a document and of its sections, each with its value; a section is there by its keys."""
    found: list[tuple[Path, Any]] = []
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            found += [((str(key), str(inner)), one) for inner, one in value.items()]
        else:
            found.append(((str(key),), value))
    return found


def _is_old(place: Path) -> bool:
    return ".".join(place) in RENAMED or place[0] in SECTIONS


def _put(document: dict[str, Any], place: Path, value: Any) -> None:
    for key in place[:-1]:
        inner = document.get(key)
        # Something else in the place of a section is left there, and is a problem of its own.
        document = document.setdefault(key, {}) if inner is None or isinstance(inner, dict) else {}
    document[place[-1]] = dict(value) if isinstance(value, Mapping) else value


def _has(document: Any, place: Path) -> bool:
    for key in place:
        if not isinstance(document, Mapping) or key not in document:
            return False
        document = document[key]
    return True


def _days(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value * 86_400 if is_number else value
