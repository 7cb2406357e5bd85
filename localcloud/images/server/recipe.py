"""The recipe of the server image, read from the data files beside this module.

`packages.txt`, `masked-units.txt` and `excluded-paths.txt` are lists; `overlay/` holds files as they are to be on
the server.  Whatever is in the recipe is in its fingerprint, so a change of any of them makes a new image.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
API_NAME = "debian-13"
# Shell commands that mmdebstrap runs at the end; "$1" is the image's root.
HOOKS = (
    'mkdir -p "$1"/etc/local-cloud "$1"/var/lib/cloud/seed/nocloud',
    # Host keys and the machine id must differ from server to server and are made at the first boot.
    'rm -f "$1"/etc/ssh/ssh_host_*',
    ': > "$1"/etc/machine-id',
    # mmdebstrap leaves this machine's apt options there, a proxy for example, which servers must not use.
    'rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap',
    'rm -f "$1"/var/log/*.log "$1"/var/log/apt/*',
    # Tells systemd that caches of libraries and of the journal's catalog are up to date, so that no boot makes them.
    'touch "$1"/etc/.updated "$1"/var/.updated',
)
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Recipe:
    """What the image is made of; `overlay` is a tar archive that is unpacked over the installed system."""

    suite: str
    packages: tuple[str, ...]
    dpkg_options: tuple[str, ...]
    hooks: tuple[str, ...]
    overlay: bytes

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with anything in the recipe."""
        digest = hashlib.sha256()
        for part in ((self.suite,), self.packages, self.dpkg_options, self.hooks):
            digest.update("\n".join(part).encode() + b"\0")
        digest.update(self.overlay)
        return digest.hexdigest()[:12]

    @property
    def image(self) -> str:
        """The name of the image in Docker."""
        return f"clawdet-server:{API_NAME}-{self.fingerprint}"


def read_recipe(folder: Path = FOLDER) -> Recipe:
    """Read the recipe from `folder`."""
    return Recipe(
        suite=SUITE,
        packages=tuple(sorted(read_list(folder / "packages.txt"))),
        dpkg_options=tuple(_dpkg_option(line) for line in read_list(folder / "excluded-paths.txt")),
        hooks=HOOKS,
        overlay=overlay_archive(folder / "overlay", read_list(folder / "masked-units.txt")),
    )


def read_list(path: Path) -> list[str]:
    """The lines of a list file that are neither empty nor comments."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _dpkg_option(line: str) -> str:
    return f"path-include={line[1:]}" if line.startswith("!") else f"path-exclude={line}"


def overlay_archive(folder: Path, masked_units: list[str]) -> bytes:
    """A tar archive of the files in `folder`, owned by root, and of a link to /dev/null for each masked unit.

    It holds files and links only, no folders, so that unpacking it changes the mode of no folder of the system.
    Its bytes depend on names, contents and executable bits alone.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"./{path.relative_to(folder)}")
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
        for unit in sorted(masked_units):
            entry = tarfile.TarInfo(f"./etc/systemd/system/{unit}")
            entry.type = tarfile.SYMTYPE
            entry.linkname = "/dev/null"
            archive.addfile(entry)
    return buffer.getvalue()
