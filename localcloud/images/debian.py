"""Layers of Debian packages, made by mmdebstrap from the mirror that this machine uses."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from localcloud.host.command import require
from localcloud.images.errors import ImageError
from localcloud.images.layers import LayerRecipe, Progress
from localcloud.images.oci import EPOCH
from localcloud.images.server.mirror import machine_options, machine_sources

SUITE = "trixie"

_LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)
_CHUNK = 1 << 20


def debian_layer(
    name: str, packages: Sequence[str], *, left_out: Sequence[str] = (), hooks: Sequence[str] = ()
) -> LayerRecipe:
    """A layer with a minimal Debian and `packages`.

    `left_out` are patterns of files not to unpack; `hooks` are shell commands run at the end, with the path of the
    tree as $1.
    """

    def write(stream: BinaryIO, progress: Progress) -> None:
        progress(f"{name}: installing {', '.join(packages)} into a minimal Debian {SUITE}")
        _bootstrap(stream, packages, left_out, hooks)

    return LayerRecipe(name, (Path(__file__), SUITE, *packages, "left out", *left_out, "hooks", *hooks), write)


def _bootstrap(stream: BinaryIO, packages: Sequence[str], left_out: Sequence[str], hooks: Sequence[str]) -> None:
    require("mmdebstrap", "apt-get")
    with tempfile.TemporaryDirectory(prefix="clawdet-image-") as folder:
        # mmdebstrap copies these options into the tree, where a hook removes them: they may name this machine's proxy.
        options = Path(folder) / "apt.conf"
        options.touch(mode=0o600)
        options.write_text(machine_options())
        command = [
            "nice",
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            "--format=tar",
            f"--aptopt={options}",
            "--aptopt=APT::Install-Recommends false",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in (*_LEFT_OUT, *left_out)),
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            f"--include={','.join(packages)}",
            '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/var/log/*.log "$1"/var/log/apt/*',
            *(f"--customize-hook={hook}" for hook in hooks),
            SUITE,
            "-",
            *machine_sources(SUITE),
        ]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
        with (Path(folder) / "messages").open("w+") as messages:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages, env=environment) as process:
                assert process.stdout
                while chunk := process.stdout.read(_CHUNK):
                    stream.write(chunk)
            if process.returncode != 0:
                messages.seek(0)
                raise ImageError(
                    f"mmdebstrap could not make a Debian {SUITE} with {', '.join(packages)}: "
                    f"{messages.read().strip()[-2000:]}"
                )
