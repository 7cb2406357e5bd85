"""Go programs of the local cloud, built once from modules that pin every dependency with its hash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.paths import cache_directory

_TIMEOUT = 1800
"""Seconds that a build may take; the slowest took 6 minutes on a busy machine with an empty cache."""


class GoBuildError(Exception):
    """A Go program could not be built; the text has the compiler's answer, or says that there is none."""


@dataclass(frozen=True)
class GoProgram:
    """A main package of one of the dependencies of the module in `folder` (its go.mod and go.sum)."""

    name: str
    folder: Path
    package: str
    tags: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """String variables set at link time, each as `import/path.Name=value`."""

    @property
    def fingerprint(self) -> str:
        """Changes with the pinned dependencies and the build's options."""
        state = hashlib.sha256(" ".join((self.package, *self.tags, *self.variables)).encode())
        for file in ("go.mod", "go.sum"):
            state.update((self.folder / file).read_bytes())
        return state.hexdigest()[:12]

    @property
    def path(self) -> Path:
        """Where the finished program is."""
        return cache_directory() / "go" / "bin" / f"{self.name}-{self.fingerprint}"


def find_go() -> str:
    """The Go toolchain: the program that `CLAWDET_GO` names, or `go` on PATH."""
    if configured := os.environ.get("CLAWDET_GO"):
        return configured
    if found := shutil.which("go"):
        return found
    raise GoBuildError("no Go toolchain: put `go` (1.26 or newer) on PATH, or its path into CLAWDET_GO")


def build_program(program: GoProgram, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Build `program` where that has not happened yet, and return its path; it is a static binary."""
    target = program.path
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{program.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_file():
            progress(f"building {program.name} from its Go module (once, a minute or more)")
            _build(program, target)
    return target


def _build(program: GoProgram, target: Path) -> None:
    unfinished = target.with_name(target.name + ".unfinished")
    linker = " ".join(("-s", "-w", *(f"-X {variable}" for variable in program.variables)))
    command = ["nice", find_go(), "build", "-trimpath", f"-ldflags={linker}", f"-tags={','.join(program.tags)}"]
    command += ["-o", str(unfinished), program.package]
    try:
        done = subprocess.run(
            command,
            cwd=program.folder,
            env=_environment(os.environ),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise GoBuildError(f"the Go toolchain {command[1]} does not exist") from error
    if done.returncode != 0:
        raise GoBuildError(f"{program.name} could not be built: {done.stderr.strip()[-2000:]}")
    unfinished.rename(target)


def _environment(base: Mapping[str, str]) -> dict[str, str]:
    """Only what go.mod and go.sum pin is used, by the toolchain at hand, and the result depends on no C library."""
    return {
        **base,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
