"""One round of the watchdog over all deployments of this server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from clawdet_infra.agent import docker
from clawdet_infra.agent.docker import PROJECT, Container, act, twice
from clawdet_infra.agent.errors import DeploymentError, LockHeldError
from clawdet_infra.agent.server import lock_file, locked
from clawdet_infra.agent.state import cut_off
from clawdet_infra.agent.watchdog.decide import (
    PAUSES_SECONDS,
    Fault,
    Record,
    Repair,
    Verdict,
    decide,
    fault,
)
from clawdet_infra.agent.watchdog.state import Instant, Memory, wall_clock
from clawdet_infra.redaction import Redactor

DEPLOYMENTS = Path("/srv/clawdet")
MEMORY = Path("/var/lib/clawdet-guard")

# The first pass starts what others share the network of, the second what shares it.
_PASSES = 2
# systemd reads these prefixes as the levels of its journal.
_NOTICE, _WARNING, _ERROR = "<5>", "<4>", "<3>"
_in_one_line = Redactor([]).line


def main(deployments: Path = DEPLOYMENTS, memory: Path = MEMORY) -> int:
    """Make one round, unless another is under way; return the exit code."""
    try:
        with locked(memory / "lock", seconds=0):
            Round(deployments, Memory(memory / "status.json", Instant.now())).run()
    except LockHeldError:
        return 0
    except (DeploymentError, OSError) as error:
        _say(_ERROR, str(error))
        return 1
    return 0


def look(project: str | None = None) -> dict[str, list[Container]]:
    """Return all containers, or those of one project, by project; DeploymentError where Docker does not answer."""
    found: dict[str, list[Container]] = defaultdict(list)
    for container in docker.containers({PROJECT: project}):
        found[container.project].append(container)
    return found


class Round:
    """A look at every deployment, with the repairs that are due."""

    def __init__(self, deployments: Path, memory: Memory) -> None:
        self._deployments = deployments
        self._memory = memory

    def run(self) -> None:
        """Look after all deployments; raise DeploymentError where Docker does not answer."""
        names = sorted(link.parent.name for link in self._deployments.glob("*/current"))
        seen = look()
        for name in names:
            self._memory.found[name] = self._watch(name, self._own(name, seen))
        self._memory.keep(names)
        self._memory.save()

    def _watch(self, name: str, seen: list[Container]) -> str:
        """Look after one deployment; return how it was found, in a word."""
        folder = self._deployments / name
        if (folder / "hold").exists():
            return "held"
        try:
            with locked(lock_file(self._deployments, name), seconds=0):
                # What was seen before is from before the lock.
                if (folder / "hold").exists():
                    return "held"
                # A copy of the data is there while a release is exchanged.  Where that was cut off, a gateway that ran
                # on would make the copy an old one, and the next deployment may have to put it back.
                if cut_off(folder, seen):
                    return "unfinished"
                self._look_after(name, seen)
        except LockHeldError:
            return "deploying"
        except DeploymentError as error:
            _say(_WARNING, f"{name}: {error}")
            return "unknown"
        return "watched"

    def _look_after(self, name: str, seen: list[Container]) -> None:
        if not self._due(name, seen):
            return
        for _ in range(_PASSES):
            # What was seen before is from before the lock, and a deployment may have ended in between.
            containers = self._own(name, look(name))
            if twice(containers):
                return
            for container, found, counted in self._due(name, containers):
                if (self._deployments / name / "hold").exists():
                    return
                self._repair(container, found, counted)

    def _own(self, name: str, seen: Mapping[str, list[Container]]) -> list[Container]:
        """Return the containers of a deployment, without those of another Compose project of the same name."""
        return [one for one in seen.get(name, []) if one.directory in (None, str(self._deployments / name))]

    def _due(self, name: str, containers: list[Container]) -> list[tuple[Container, Fault, bool]]:
        """Remember how each container is; return those whose repair is due, and whether it counts."""
        before = self._memory.records.get(name, {})
        others = {one.id: one for one in containers}
        after: dict[str, Record] = {}
        due: list[tuple[Container, Fault, bool]] = []
        for one in containers:
            found = fault(one, others)
            record, verdict = decide(
                before.get(one.service), one, others, self._memory.now, first_round=self._memory.first_round
            )
            if found and verdict in (Verdict.REPAIR, Verdict.START_WITH_DOCKER):
                due.append((one, found, verdict is Verdict.REPAIR))
            if found and verdict is Verdict.GIVE_UP:
                _say(
                    _ERROR,
                    f"{name}: {one.service} {found.what}, also after {len(PAUSES_SECONDS)} repairs; it is left alone "
                    "until it has been well for an hour, or is deployed anew",
                )
            if not record.empty:
                after[one.service] = record
        self._memory.records[name] = after
        return due

    def _repair(self, container: Container, found: Fault, counted: bool) -> None:
        records = self._memory.records[container.project]
        repair = Repair(clock=self._memory.now, at=wall_clock(), what=found.what, step=found.step, counted=counted)
        record = (records.get(container.service) or Record(id=container.id)).repaired(repair)
        records[container.service] = record
        # Before it is done: were the watchdog stopped in the middle again and again, it would still count.
        self._memory.save()
        answer = act(found.step, container)
        records[container.service] = record.answered(answer.ok)
        number = f"repair {len(record.recent(self._memory.now))} of {len(PAUSES_SECONDS)} in an hour"
        done = f"docker {found.step} ({number if counted else 'Docker has just started'})"
        said = "" if answer.ok else f" failed: {answer.said}"
        level = _NOTICE if answer.ok else _WARNING
        _say(level, f"{container.project}: {container.service} {found.what}; {done}{said}")


def _say(level: str, text: str) -> None:
    print(level + _in_one_line(text), flush=True)
