"""Decides where each part of the engine comes from, and provides it.

In this order: an official release on PATH; our cache, with a release or a build; the official installer; a build. An
official release downloads its own plugins; if it cannot, only the plugins are built.
"""

from __future__ import annotations

import enum
import os
import time
from dataclasses import dataclass
from pathlib import Path

from toolchain import build, cache, kit, official, pins
from toolchain.errors import EngineError
from toolchain.parts import Part, all_parts

_ENSURE = "run `python3 -m toolchain ensure`"


class Source(enum.StrEnum):
    """Where a part comes from."""

    OFFICIAL = "official release"
    BUILT = "built here"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """The status of one part."""

    name: str
    version: str
    source: Source
    path: Path | None
    advice: str
    """The fix for a missing part; empty for others."""


@dataclass(frozen=True)
class Engine:
    """The engine on this machine."""

    release: official.Release | None
    kit: kit.Kit | None
    """The parts built here; None if there are none."""
    findings: tuple[Finding, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return all(finding.source is not Source.MISSING for finding in self.findings)

    def path(self) -> list[Path]:
        """Returns the folders to prepend to PATH."""
        if self.release:
            return [self.release.folder] if self.release.downloaded else []
        if self.kit is None:
            return []
        # A language host that is built here ignores `virtualenv` in Pulumi.yaml: it runs the first python3 on PATH.
        environment = pins.ROOT / ".venv" / "bin"
        return [environment, self.kit.bin] if environment.is_dir() else [self.kit.bin]

    def variables(self) -> dict[str, str]:
        """Returns the environment variables, except PATH, with which `pulumi` finds its parts without downloads."""
        variables = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
        if self.kit:
            variables["PULUMI_HOME"] = str(self.kit.home)
            variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
            # Logins survive a cleared cache.
            variables["PULUMI_CREDENTIALS_PATH"] = os.environ.get(
                "PULUMI_CREDENTIALS_PATH", str(Path.home() / ".pulumi")
            )
        return variables

    def environment(self) -> dict[str, str]:
        """Returns this process's environment with the changes that make `pulumi` work."""
        path = os.pathsep.join([*map(str, self.path()), os.environ.get("PATH", os.defpath)])
        return os.environ | self.variables() | {"PATH": path}


def find() -> Engine:
    """Returns the engine as found, without changing anything."""
    release = official.find()
    if release and not official.missing_plugins():
        return Engine(release, None, tuple(_official(part, release) for part in all_parts() if _in(part, release)))
    wanted = kit.of([part for part in all_parts() if part.is_plugin or release is None])
    official_parts = [_official(part, release) for part in all_parts() if release and not part.is_plugin]
    return Engine(release, wanted, (*official_parts, *(_built(part, wanted) for part in wanted.parts)))


def _in(part: Part, release: official.Release) -> bool:
    return part.is_plugin or (release.folder / part.binary).exists()


def _official(part: Part, release: official.Release) -> Finding:
    if part.is_plugin:
        path = official.home() / "plugins" / f"resource-{part.name}-v{part.version}" / part.binary
        return Finding(part.name, part.version, Source.OFFICIAL, path, "")
    return Finding(part.name, release.version, Source.OFFICIAL, release.folder / part.binary, "")


def _built(part: Part, wanted: kit.Kit) -> Finding:
    if wanted.has(part):
        return Finding(part.name, part.version, Source.BUILT, wanted.path(part), "")
    return Finding(part.name, part.version, Source.MISSING, None, _ENSURE)


def ensure(report: build.Report) -> Engine:
    """Returns a complete engine, after a download or a build if one is needed.

    Reports slow steps. Raises EngineError if the engine cannot be provided.
    """
    engine = find()
    if not engine.is_complete:
        waiting = "another run is preparing the engine; waiting for it"
        with cache.lock(cache.engine() / "lock", lambda: report(waiting)):
            engine = _make(find(), report)
    if engine.kit:
        for folder in (engine.kit.folder, *map(build.folder, engine.kit.parts)):
            cache.touch(folder)
    return engine


def _make(engine: Engine, report: build.Report) -> Engine:
    """Downloads or builds missing parts. The caller holds the lock."""
    if not engine.is_complete and engine.release is None and official.source():
        report("looking for the official release")
        if official.download(report) is None:
            report("the official release is not available")
        engine = find()
    if not engine.is_complete and engine.release and official.source():
        report("downloading pulumi's plugins")
        if not official.install_plugins(engine.release):
            report("the official plugins are not available")
        engine = find()
    if not engine.is_complete and engine.kit:
        started = time.monotonic()
        report(f"building the engine from its sources, once, into {cache.engine()}")
        for part in engine.kit.parts:
            build.build(part, report)
        engine.kit.assemble()
        for folder in ("kits", "parts"):
            cache.prune(cache.engine() / folder)
        report(f"built the engine in {time.monotonic() - started:.0f} s")
        engine = find()
    if not engine.is_complete:
        missing = ", ".join(finding.name for finding in engine.findings if finding.source is Source.MISSING)
        raise EngineError(f"parts of the engine are missing after the build: {missing}")
    return engine
