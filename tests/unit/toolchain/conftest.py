"""A cache of the test's own, and a Go that writes what it is asked to build into a log."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolchain import parts, pins

_GO = """#!/bin/sh
case "$1 $2" in
"env GOVERSION") echo go1.99.0 ;;
"mod download") ;;
"list -m") echo "{sdk}" ;;
"build -v")
    for last; do :; done
    while [ "$1" != -o ]; do shift; done
    echo "$last" >> "{log}"
    if [ "$last" = "$(cat "{broken}" 2>/dev/null)" ]; then echo "undefined: frobnicate" >&2; exit 1; fi
    sleep 0.05
    printf '#!/bin/sh\\necho %s\\n' "$last" > "$2" && chmod +x "$2"
    ;;
*) echo "what is $*?" >&2; exit 2 ;;
esac
"""


@dataclass
class Machine:
    """A machine without an engine."""

    folder: Path
    go: Path
    checkout: Path = pins.ROOT
    python: str = sys.executable

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "CLAWDET_CACHE": str(self.cache),
            "CLAWDET_GO": str(self.go),
            "CLAWDET_ENGINE_INSTALLER": "off",
        }

    def built(self) -> list[str]:
        """The Go packages that were built so far, in their order."""
        log = self.folder / "built"
        return log.read_text().split() if log.exists() else []

    def break_build(self, package: str) -> None:
        """Lets the build of a package fail; an empty name mends it."""
        (self.folder / "broken").write_text(package)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts `python -m toolchain`."""
        return subprocess.Popen(
            [self.python, "-m", "toolchain", *arguments],
            cwd=self.checkout,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `python -m toolchain` to its end."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def install(self, name: str, script: str, folder: str = "bin") -> Path:
        """Puts a program into a folder of PATH."""
        program = self.folder / folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    folder = tmp_path / "a machine"  # With a space, because a home may have one.
    sdk = folder / "sdk"
    for script in ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"):
        (sdk / script).parent.mkdir(parents=True, exist_ok=True)
        (sdk / script).write_text("script")
        (sdk / script).chmod(0o444)
    go = folder / "go"
    go.write_text(_GO.format(log=folder / "built", broken=folder / "broken", sdk=sdk))
    go.chmod(0o755)
    (folder / "home").mkdir()
    made = Machine(folder, go)
    for name in list(os.environ):
        if name.startswith("PULUMI_"):
            monkeypatch.delenv(name)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    _forget()
    yield made
    _forget()


def _forget() -> None:
    """Drops what the package remembers of the files that it has read."""
    for function in (
        parts._fingerprint,
        parts.all_parts,
        pins.least_go,
        pins.module_version,
        pins.plugin_versions,
    ):
        function.cache_clear()
