"""The image of the stand-in for the gateway: a small program on the same Node.js, laid out as OpenClaw's image.

README.md describes the program. The tags are its releases, which differ by their environment only.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from localcloud.images import archive
from localcloud.images.archive import LayerWriter
from localcloud.images.debian import debian_layer
from localcloud.images.layers import LayerRecipe, Progress
from localcloud.images.node.recipe import node_layer
from localcloud.images.npm import install_locked
from localcloud.images.oci import Execution
from localcloud.images.openclaw import recipe as openclaw

FOLDER = Path(__file__).parent
REPOSITORY = "clawdet/gateway-stand-in"
RELEASES = ("1", "2")

_PROGRAM = FOLDER / "program"
# The programs that tests and health checks run in the gateway's container, and the C++ library of Node.js.
_SYSTEM = ("curl", "hostname", "libstdc++6", "procps", "tini")
# A container installs nothing, and this is half of the system.
_UNUSED = (
    "usr/bin/apt*",
    "usr/bin/dpkg*",
    "usr/bin/perl*",
    "usr/bin/sqv",
    "usr/lib/apt",
    "usr/lib/x86_64-linux-gnu/libapt-*",
    "usr/lib/x86_64-linux-gnu/perl-base",
    "usr/share/perl*",
    "usr/share/zoneinfo",
    "var/cache/debconf/*",
    "var/lib/dpkg",
)


def execution(release: str) -> Execution:
    """Return how a container of a release runs."""
    return replace(
        openclaw.EXECUTION,
        command=("node", "dist/index.js", "gateway"),
        environment={**openclaw.EXECUTION.environment, "GATEWAY_STAND_IN_RELEASE": release},
        labels={
            "org.opencontainers.image.title": "Stand-in for the OpenClaw gateway",
            "org.opencontainers.image.version": release,
        },
    )


def layers() -> list[LayerRecipe]:
    """Node.js, the system and the program."""
    sources = sorted(path for path in _PROGRAM.rglob("*") if path.is_file())
    names = [str(path.relative_to(_PROGRAM)) for path in sources]
    packages = (FOLDER / "package.json", FOLDER / "package-lock.json")
    inputs: tuple[str | Path, ...] = (Path(__file__), Path(archive.__file__), *packages, *names, *sources)
    remove = 'cd "$1" && rm --recursive --force ' + " ".join(_UNUSED)
    return [
        node_layer(),
        debian_layer("gateway-stand-in-system", _SYSTEM, hooks=(*openclaw.ADD_USER, remove)),
        LayerRecipe("gateway-stand-in", inputs, _write),
    ]


def _write(stream: BinaryIO, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="clawdet-stand-in-") as work:
        progress("gateway-stand-in: installing its libraries from npm")
        install_locked(FOLDER, Path(work), progress)
        layer = LayerWriter(stream)
        layer.file("app/package.json", FOLDER / "package.json")
        layer.tree("app/dist", _PROGRAM)
        layer.tree("app/node_modules", Path(work) / "node_modules", lambda path: not path.startswith("."))
        layer.close()
