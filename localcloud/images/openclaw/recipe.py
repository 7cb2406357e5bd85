"""OpenClaw's image: the program from npm on Node.js and a minimal Debian, laid out as `ghcr.io/openclaw/openclaw`.

`package-lock.json` pins every package with its hash and names no registry; after changing `package.json` make it again
with `npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved`.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from localcloud.images import archive
from localcloud.images.archive import LayerWriter
from localcloud.images.debian import debian_layer
from localcloud.images.errors import ImageError
from localcloud.images.layers import LayerRecipe, Progress
from localcloud.images.node.recipe import VERSION as NODE_VERSION
from localcloud.images.node.recipe import install_node, node_layer
from localcloud.images.npm import install_locked, run_nicely
from localcloud.images.oci import Execution

FOLDER = Path(__file__).parent
REPOSITORY = "openclaw/openclaw"
VERSION: str = json.loads((FOLDER / "package.json").read_text())["dependencies"]["openclaw"]

_USER = 1000
_HEALTHY = (
    "fetch('http://127.0.0.1:18789/healthz').then((answer)=>process.exit(answer.ok?0:1)).catch(()=>process.exit(1))"
)
_SECOND = 1_000_000_000

EXECUTION = Execution(
    entrypoint=("tini", "-s", "--"),
    command=("node", "openclaw.mjs", "gateway"),
    environment={
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NODE_VERSION": NODE_VERSION,
        "NODE_ENV": "production",
        "HOME": "/home/node",
    },
    user="node",
    directory="/app",
    ports=("18789/tcp",),
    labels={"org.opencontainers.image.title": "OpenClaw", "org.opencontainers.image.version": VERSION},
    healthcheck={
        "Test": ["CMD", "node", "-e", _HEALTHY],
        "Interval": 180 * _SECOND,
        "Timeout": 10 * _SECOND,
        "StartPeriod": 15 * _SECOND,
        "Retries": 3,
    },
)

REBUILT = f"{VERSION}-1"
"""Tag of the same release in an image with another digest, as registries have them after a rebuild: to upgrade to."""
REBUILT_EXECUTION = replace(EXECUTION, labels={**EXECUTION.labels, "org.opencontainers.image.revision": "1"})

_SYSTEM = ("ca-certificates", "curl", "git", "hostname", "openssl", "procps", "tini")
ADD_USER = (
    f'chroot "$1" groupadd --gid {_USER} node',
    f'chroot "$1" useradd --uid {_USER} --gid {_USER} --home-dir /home/node --create-home --shell /bin/bash node',
    f'install --directory --owner {_USER} --group {_USER} --mode 700 "$1"/home/node/.openclaw',
)
"""Hooks for a Debian layer that make the user of the public image, with the folder of its data."""

_TEMPLATES = "docs/reference/templates/"
_UNUSED_ENDINGS = (".map", ".d.ts", ".d.mts", ".d.cts", ".tsbuildinfo")
_UNUSED_FOLDERS = ("/darwin-arm64", "/darwin-x64", "/win32-x64", "/win32-arm64", "/musl_x64", "/.bin")


def layers() -> list[LayerRecipe]:
    """The runtime, the system and the program."""
    npm_inputs = (
        Path(__file__),
        Path(archive.__file__),
        FOLDER / "package.json",
        FOLDER / "package-lock.json",
    )
    return [
        node_layer(),
        debian_layer("openclaw-system", _SYSTEM, hooks=ADD_USER),
        LayerRecipe("openclaw-program", npm_inputs, _write),
    ]


def used_at_run_time(path: str) -> bool:
    """Whether the gateway can need the file or folder at `path`, relative to /app.

    Left out are source maps, type declarations, prebuilt parts for other platforms, and the documentation except
    the templates that a new workspace is filled from.
    """
    if path == "docs" or path.startswith("docs/"):
        return f"{path}/".startswith(_TEMPLATES) or _TEMPLATES.startswith(f"{path}/")
    return not path.endswith(_UNUSED_ENDINGS) and not f"/{path}".endswith(_UNUSED_FOLDERS)


def _write(stream: BinaryIO, progress: Progress) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="clawdet-openclaw-") as work,
        tempfile.TemporaryDirectory(prefix="clawdet-node-") as beside,
    ):
        node = install_node(Path(beside), progress)
        progress(f"openclaw: installing openclaw {VERSION} from npm")
        folder = Path(work)
        install_locked(FOLDER, folder, progress)
        program = folder / "node_modules/openclaw"
        # The package's own last step, which `--ignore-scripts` left out, with the Node.js that will run it.
        run_nicely([str(node), "scripts/postinstall-bundled-plugins.mjs"], program)
        progress("openclaw: packing the image")
        layer = LayerWriter(stream)
        layer.symlink("usr/local/bin/openclaw", "/app/openclaw.mjs")
        _write_program(layer, program, folder / "node_modules")
        layer.close()


def _write_program(layer: LayerWriter, program: Path, modules: Path) -> None:
    """/app is the package itself, and its dependencies, which npm put beside it, are in /app/node_modules."""
    own = {item.name for item in (program / "node_modules").iterdir() if not item.name.startswith(".")}
    beside = {item.name for item in modules.iterdir() if not item.name.startswith(".")}
    if twice := own & beside:
        # Then two versions of a package are needed in places that would become one.
        raise ImageError(f"openclaw {VERSION} has dependencies that npm installed twice: {', '.join(sorted(twice))}")
    layer.tree("app", program, lambda path: path != "node_modules" and used_at_run_time(path))
    layer.directory("app/node_modules")
    for name in sorted((own | beside) - {"openclaw"}):
        source = program / "node_modules" / name if name in own else modules / name
        layer.tree(f"app/node_modules/{name}", source, lambda path: used_at_run_time(f"node_modules/{path}"))
