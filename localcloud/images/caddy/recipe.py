"""Caddy's image: the program from its Go module and a static busybox, with the paths of `docker.io/library/caddy`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO

from localcloud.go_binaries import GoProgram, build_program
from localcloud.images import archive
from localcloud.images.archive import LayerWriter
from localcloud.images.errors import ImageError
from localcloud.images.layers import LayerRecipe, Progress
from localcloud.images.oci import Execution

FOLDER = Path(__file__).parent
VERSION = "2.11.9"
REPOSITORY = "library/caddy"

# The tags of the official builds: they leave out the databases of an embedded certificate authority.
PROGRAM = GoProgram(
    "caddy",
    FOLDER,
    "github.com/caddyserver/caddy/v2/cmd/caddy",
    tags=("nobadger", "nomysql", "nopgx"),
    variables=(f"github.com/caddyserver/caddy/v2.CustomVersion=v{VERSION}",),
)

EXECUTION = Execution(
    command=("caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"),
    environment={
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CADDY_VERSION": f"v{VERSION}",
        "XDG_CONFIG_HOME": "/config",
        "XDG_DATA_HOME": "/data",
    },
    directory="/srv",
    ports=("80/tcp", "443/tcp", "443/udp", "2019/tcp"),
    labels={"org.opencontainers.image.title": "Caddy", "org.opencontainers.image.version": f"v{VERSION}"},
)

_PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP = b"root:x:0:\nnobody:x:65534:\n"
_AUTHORITIES = Path("/usr/share/ca-certificates/mozilla")


def layers() -> list[LayerRecipe]:
    """One layer with everything."""
    inputs = (Path(__file__), Path(archive.__file__), FOLDER / "Caddyfile", FOLDER / "index.html")
    return [LayerRecipe("caddy", (*inputs, PROGRAM.fingerprint), _write)]


def _write(stream: BinaryIO, progress: Progress) -> None:
    program = build_program(PROGRAM, progress)
    progress("caddy: packing the image")
    layer = LayerWriter(stream)
    for name, mode in (
        ("bin", 0o755),
        ("config/caddy", 0o1777),
        ("data/caddy", 0o1777),
        ("etc/caddy", 0o755),
        ("etc/ssl/certs", 0o755),
        ("root", 0o700),
        ("sbin", 0o755),
        ("srv", 0o755),
        ("tmp", 0o1777),
        ("usr/bin", 0o755),
        ("usr/sbin", 0o755),
        ("usr/share/caddy", 0o755),
    ):
        layer.directory(name, mode)
    # As in the official image: it may bind ports below 1024 whatever user runs it.
    layer.file("usr/bin/caddy", program, 0o755, capability=archive.NET_BIND_SERVICE)
    layer.file("etc/caddy/Caddyfile", FOLDER / "Caddyfile")
    layer.file("usr/share/caddy/index.html", FOLDER / "index.html")
    layer.file("etc/passwd", _PASSWD)
    layer.file("etc/group", _GROUP)
    layer.file("etc/nsswitch.conf", b"hosts: files dns\n")
    layer.file("etc/ssl/certs/ca-certificates.crt", _authorities())
    _write_busybox(layer)
    layer.close()


def _write_busybox(layer: LayerWriter) -> None:
    """The shell and the small tools that health checks and entry points use."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise ImageError("busybox is not installed; install it with: apt-get install busybox-static")
    program = Path(busybox).resolve()
    if b"/ld-linux" in program.read_bytes()[:4096]:
        raise ImageError(f"{program} needs a C library; replace it with: apt-get install busybox-static")
    listed = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    layer.file("bin/busybox", program, 0o755)
    for name in sorted(set(listed) - {"bin/busybox"}):
        layer.symlink(name, "/bin/busybox")


def _authorities() -> bytes:
    """The public authorities of Debian's package, without what this machine's owner may have added to them."""
    files = sorted(_AUTHORITIES.glob("*.crt"))
    if not files:
        raise ImageError("there are no public authorities; install them with: apt-get install ca-certificates")
    return b"".join(file.read_bytes() for file in files)
