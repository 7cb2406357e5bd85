"""Builds parts from their sources."""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from toolchain import cache, pins
from toolchain.errors import EngineError
from toolchain.go_toolchain import find_go
from toolchain.parts import Part

Report = Callable[[str], None]

_EVERY = 15.0
"""Seconds between two progress messages of a build."""


def folder(part: Part) -> Path:
    """Returns the folder of a part's files, which may not exist yet."""
    return cache.engine() / "parts" / f"{part.name}-{part.version}-{part.fingerprint}"


def is_built(part: Part) -> bool:
    """Returns whether all files of a part exist."""
    return all((folder(part) / name).is_file() for name in part.files)


def build(part: Part, report: Report) -> None:
    """Builds a part, unless it exists. The caller holds the lock."""
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
                Path(copied).chmod(0o755)  # Files in the module cache are read-only and not executable.
    report(f"built {part.name} {part.version} in {time.monotonic() - started:.0f} s")


def _compile(go: Path, part: Part, program: Path, report: Report) -> None:
    command = [str(go), "build", "-v", "-trimpath", "-buildvcs=false"]
    command += ["-ldflags", f"-s -w {f'-X {part.link}' if part.link else ''}".strip(), "-o", str(program)]
    if nice := shutil.which("nice"):  # Keeps the machine usable during the build.
        command[:0] = [nice, "-n", "5"]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, part.package],
        cwd=pins.GO / part.module,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process, _Output(process) as output:
        while process.poll() is None:
            try:
                process.wait(timeout=_EVERY)
            except subprocess.TimeoutExpired:
                report(f"building {part.name}: {output.progress()}, {time.monotonic() - started:.0f} s")
    if process.returncode != 0:
        raise EngineError(f"cannot build {part.name} {part.version}:\n  " + "\n  ".join(output.last))


class _Output:
    """Reads the output of `go build -v`: a line for each downloaded module and each compiled package."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self._lines = process.stderr
        self._thread = threading.Thread(target=self._read)
        self._modules = self._packages = 0
        self.last: collections.deque[str] = collections.deque(maxlen=15)

    def __enter__(self) -> _Output:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def progress(self) -> str:
        """Returns the progress in words."""
        return f"{self._modules} modules downloaded, {self._packages} packages compiled"

    def _read(self) -> None:
        for line in self._lines:
            self.last.append(line.rstrip())
            if line.startswith("go: downloading"):
                self._modules += 1
            else:
                self._packages += 1


def environment() -> dict[str, str]:
    """Returns the environment of Go: the user's proxies and caches, without settings that change the result."""
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _module_folder(go: Path, module: str, dependency: str) -> Path:
    """Returns Go's folder of a dependency's sources, after downloading them if necessary."""
    for command in (["mod", "download", dependency], ["list", "-m", "-f", "{{.Dir}}", dependency]):
        result = subprocess.run(
            [go, *command], cwd=pins.GO / module, env=environment(), capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise EngineError(f"cannot get the sources of {dependency}: {result.stderr.strip()[-600:]}")
    return Path(result.stdout.strip())
