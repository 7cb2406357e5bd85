"""The browser's image: Debian's headless Chromium, used as `docker.io/chromedp/headless-shell` is.

By default the DevTools protocol answers on port 9222 of every address, as in the public image.  Run
`/headless-shell/headless-shell --no-sandbox --remote-debugging-port=9222` as the entry point for the loopback only.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from localcloud.images import archive
from localcloud.images.archive import LayerWriter
from localcloud.images.debian import debian_layer
from localcloud.images.layers import LayerRecipe, Progress
from localcloud.images.oci import Execution

FOLDER = Path(__file__).parent
REPOSITORY = "chromedp/headless-shell"
VERSION = "156.0.8078.79"
"""The public tag that the image stands for.  Debian keeps only its newest Chromium, so a later build may hold a later
one; `/headless-shell/headless-shell --version` tells."""

EXECUTION = Execution(
    entrypoint=("/headless-shell/run.sh",),
    command=(),
    environment={
        "PATH": "/headless-shell:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108  (the one folder that any user of the container may write)
    },
    user="1000:1000",
    ports=("9222/tcp",),
    labels={
        "org.opencontainers.image.title": "headless-shell",
        "org.opencontainers.image.version": VERSION,
    },
)

_PACKAGES = ("chromium-headless-shell", "fonts-liberation", "socat", "tini")

# The drivers of graphics cards, which a server has none of, are a third of the whole; pages are drawn in software.
_LEFT_OUT = (
    "/usr/lib/chromium/libVkLayer*",
    "/usr/lib/*/dri/*",
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libgallium*",
    "/usr/lib/*/libz3*",
)


def layers() -> list[LayerRecipe]:
    """The system with the browser, and the public image's paths."""
    inputs = (Path(__file__), Path(archive.__file__), FOLDER / "run.sh")
    return [
        debian_layer("browser-system", _PACKAGES, left_out=_LEFT_OUT),
        LayerRecipe("browser", inputs, _write),
    ]


def _write(stream: BinaryIO, progress: Progress) -> None:
    progress("browser: packing the image")
    layer = LayerWriter(stream)
    layer.directory("headless-shell")
    layer.symlink("headless-shell/headless-shell", "/usr/lib/chromium/chromium-headless-shell")
    layer.file("headless-shell/run.sh", FOLDER / "run.sh", 0o755)
    layer.close()
