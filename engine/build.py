"""Builds parts from their sources."""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from engine import cache, pins
from engine.errors import EngineError
from engine.go_toolchain import find_go
from engine.parts import Part

Report = Callable[[str], None]

_EVERY = 15.0
"""Seconds between two signs of life of a build."""


def folder(part: Part) -> Path:
    """Where the files of a part are, or will be."""
    return cache.engine() / "parts" / f"{part.name}-{part.version}-{part.fingerprint}"


def is_built(part: Part) -> bool:
    """Whether all files of a part are there."""
    return all((folder(part) / name).is_file() for name in part.files)


def build(part: Part, report: Report) -> None:
    """Builds a part, unless it is there. The caller holds the lock."""
    if is_built(part):
        return
    go = find_go(report)
    started = time.monotonic()
    report(f"building {part.name} {part.version}")
    with cache.publish(folder(part)) as target:
        _compile(go, part, target / part.binary, report)
        if part.scripts:
            sdk = _module_folder(go, "cli", "github.com/pulumi/pulumi/sdk/v3")
            for script in part.scripts:
                copied = shutil.copy(sdk / script, target)
                Path(copied).chmod(0o755)  # The module cache is read-only, and knows no executable files.
    report(f"built {part.name} {part.version} in {time.monotonic() - started:.0f} s")


def _compile(go: Path, part: Part, program: Path, report: Report) -> None:
    command = [str(go), "build", "-v", "-trimpath", "-buildvcs=false"]
    command += ["-ldflags", f"-s -w {f'-X {part.link}' if part.link else ''}".strip(), "-o", str(program)]
    if nice := shutil.which("nice"):  # The machine stays usable meanwhile.
        command[:0] = [nice, "-n", "5"]
    process = subprocess.Popen(
        [*command, part.package],
        cwd=pins.GO / part.module,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    last: collections.deque[str] = collections.deque(maxlen=15)
    started = shown = time.monotonic()
    compiled = 0
    with process:
        assert process.stderr is not None
        for line in process.stderr:  # One line a package that it compiles, or downloads.
            last.append(line.rstrip())
            compiled += not line.startswith("go: downloading")
            if time.monotonic() - shown >= _EVERY:
                shown = time.monotonic()
                report(f"building {part.name}: {compiled} packages compiled, {shown - started:.0f} s")
    if process.returncode != 0:
        raise EngineError(f"cannot build {part.name} {part.version}:\n  " + "\n  ".join(last))


def _environment() -> dict[str, str]:
    """The environment of Go: the user's proxies and caches, but none of the settings that change the result."""
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _module_folder(go: Path, module: str, dependency: str) -> Path:
    """Where Go keeps the sources of a dependency, which are downloaded if need be."""
    for command in (["mod", "download", dependency], ["list", "-m", "-f", "{{.Dir}}", dependency]):
        result = subprocess.run(
            [go, *command], cwd=pins.GO / module, env=_environment(), capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise EngineError(f"cannot get the sources of {dependency}: {result.stderr.strip()[-600:]}")
    return Path(result.stdout.strip())
