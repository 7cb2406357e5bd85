"""Official releases: finds an installed one, or downloads one.

A downloaded archive is verified before it is unpacked, and unpacked before anything in it runs. Its SHA-256 must be the
one in `official-sha256.txt`; for a version or platform missing there, the one in the checksum file that the release
publishes beside its archives.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from toolchain import cache, pins
from toolchain.errors import EngineError

BELOW = (4,)
"""A `pulumi` on PATH is accepted from the version that `toolchain/go/cli` pins, up to this one. Older ones lack
features of the pinned Python SDK, and the next major version may break programs."""

BUILT_MARK = ".built-by-clawdet"
"""A file beside a `pulumi` that was built here, which an activated shell has on PATH too."""

_RELEASES = "https://get.pulumi.com/releases/sdk"
_ANSWER_WITHIN = 5.0
"""The time, in seconds, after which a silent server counts as unreachable."""

_PINNED = Path(__file__).with_name("official-sha256.txt")
_CHECKSUM = re.compile(r"^([0-9a-fA-F]{64}) [ *](\S+)$", re.MULTILINE)
"""A line of `sha256sum`."""
_LARGEST_LIST = 1_000_000
"""The maximum size of a checksum file, in bytes."""


class VerificationError(Exception):
    """An archive is not the official one, or contains unexpected files. The message has the archive and the reason."""


@dataclass(frozen=True)
class Release:
    """An official `pulumi` with its language host beside it."""

    folder: Path
    version: str
    downloaded: bool
    """Whether it was downloaded into our cache, so it is not on PATH."""


def source() -> str | None:
    """Returns the address of the releases, or of a mirror; None if CLAWDET_ENGINE_INSTALLER is `off`.

    Raises EngineError if it is neither `https://` nor `http://` on this machine.
    """
    chosen = os.environ.get("CLAWDET_ENGINE_INSTALLER", "").strip()
    if chosen.lower() == "off":
        return None
    if chosen and not _is_safe(chosen):
        raise EngineError(
            "CLAWDET_ENGINE_INSTALLER must be `off` or an https:// address, because programs from it run here; "
            "http:// is allowed only for 127.0.0.1, ::1 and localhost"
        )
    return chosen.rstrip("/") or _RELEASES


def _is_safe(url: str) -> bool:
    """Returns whether an address is protected from changes on the network: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return host != ""
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to a safe address."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _is_safe(newurl):
            raise urllib.error.URLError("it redirects to an address that is not https://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: str | urllib.request.Request) -> http.client.HTTPResponse:
    """Sends a request to an address that `_is_safe`, and returns the answer."""
    answer: http.client.HTTPResponse = urllib.request.build_opener(_SafeRedirects).open(request, timeout=_ANSWER_WITHIN)
    return answer


def find() -> Release | None:
    """Returns the release on PATH if its version is accepted, else the one in the cache; None without either."""
    for folder in _path_folders():
        program = folder / "pulumi"
        if not os.access(program, os.X_OK) or (program.resolve().parent / BUILT_MARK).exists():
            continue
        version = _version(program)
        whole = (program.resolve().parent / "pulumi-language-python").exists()
        if whole and pins.numbers(pins.cli_version()) <= pins.numbers(version) < BELOW:
            return Release(folder, version, downloaded=False)
        break  # The shell would run this one, so later ones do not matter.
    folder = _downloads() / pins.cli_version() / "pulumi"
    if (folder / "pulumi").exists():
        return Release(folder, pins.cli_version(), downloaded=True)
    return None


def _path_folders() -> Iterator[Path]:
    """Yields the folders of PATH that may contain an official release. Ours are skipped; they are found separately."""
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if entry and not Path(entry).resolve().is_relative_to(cache.engine().resolve()):
            yield Path(entry)


def _downloads() -> Path:
    """Returns the folder of verified releases. (Those in `official` were once downloaded without verification.)"""
    return cache.engine() / "releases"


def _version(program: Path) -> str:
    """Returns the version of a `pulumi`. Asking takes a moment, so the answer is cached while the file is unchanged."""
    state = program.stat()
    key = f"{program.resolve()} {state.st_size} {state.st_mtime_ns}"
    memory = cache.engine() / "versions.json"
    known: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(memory.read_text("utf-8"))
    if key not in known:
        try:
            result = subprocess.run(
                [program, "version"],
                env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            known = {key: result.stdout.strip().removeprefix("v")}
        except (OSError, subprocess.TimeoutExpired):
            return ""
        with contextlib.suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_text(json.dumps(known), "utf-8")
    return known[key]


def download(report: Callable[[str], None] = lambda _: None) -> Release | None:
    """Downloads the pinned release. Returns None within seconds if it is not available.

    Reports an archive that is rejected.
    """
    base = source()
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    if base is None or machine is None:
        return None
    version = pins.cli_version()
    name = f"pulumi-v{version}-{platform.system().lower()}-{machine}.tar.gz"
    try:
        with tempfile.TemporaryFile() as archive:
            expected = _pinned(name) or _published(base, version, name)
            with _open(f"{base}/{name}") as answer:
                shutil.copyfileobj(answer, archive)
            archive.seek(0)
            if (found := hashlib.file_digest(archive, "sha256").hexdigest()) != expected:
                raise VerificationError(f"{name} is not the official release: its SHA-256 is {found}, not {expected}")
            archive.seek(0)
            with cache.publish(_downloads() / version) as made:
                _unpack(archive, made)
                if (called := _version(made / "pulumi" / "pulumi")) != version:
                    raise VerificationError(f"{name} contains pulumi {called or 'without a version'}, not {version}")
    except VerificationError as error:
        report(f"refused: {error}")
        return None
    except (OSError, ValueError, EOFError, tarfile.TarError, http.client.HTTPException):
        return None
    return find()


def _pinned(name: str) -> str | None:
    """Returns the SHA-256 of an archive that this checkout pins; None if it pins none."""
    return _checksums(_PINNED.read_text("utf-8")).get(name)


def _published(base: str, version: str, name: str) -> str:
    """Returns the SHA-256 of an archive that its release publishes. Raises VerificationError if there is none."""
    file = f"pulumi-{version}-checksums.txt"
    try:
        with _open(f"{base}/{file}") as answer:
            text = answer.read(_LARGEST_LIST).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        raise VerificationError(f"{name} cannot be verified: the server answers {file} with {error.code}") from None
    if (found := _checksums(text).get(name)) is None:
        raise VerificationError(f"{name} cannot be verified: {file} does not list it")
    return found


def _checksums(text: str) -> dict[str, str]:
    """Returns the hashes by file name, from the output of `sha256sum`."""
    return {match[2]: match[1].lower() for match in _CHECKSUM.finditer(text)}


def _unpack(archive: IO[bytes], folder: Path) -> None:
    """Unpacks the files of a release into a folder. Raises VerificationError before it writes outside of the folder.

    Not with `extractall`: its filters came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    with tarfile.open(fileobj=archive, mode="r:gz") as files:
        for entry in files:
            path = PurePosixPath(entry.name)
            if path.is_absolute() or ".." in path.parts or not (entry.isfile() or entry.isdir()):
                raise VerificationError(f"the archive contains {entry.name!r}, which is not a file of a release")
            target = folder / path
            if entry.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            content = files.extractfile(entry)
            assert content is not None, "a regular file has content"
            with content, target.open("xb") as copy:
                shutil.copyfileobj(content, copy)
            target.chmod(0o755 if entry.mode & 0o100 else 0o644)


def home() -> Path:
    """Returns the folder in which an official release keeps its plugins."""
    chosen = os.environ.get("PULUMI_HOME")
    if chosen and not (Path(chosen) / BUILT_MARK).exists():
        return Path(chosen)
    return Path.home() / ".pulumi"


def missing_plugins() -> list[str]:
    """Returns the names of the pinned plugins that are not in the official release's cache."""
    versions = pins.plugin_versions()
    return [
        name
        for name, version in versions.items()
        if not (home() / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}").exists()
    ]


def install_plugins(release: Release) -> bool:
    """Downloads missing plugins with an official release. Returns False if one is not available."""
    if source() is None or not _reachable():
        return False
    for name in missing_plugins():
        command = [str(release.folder / "pulumi"), "plugin", "install", "resource", name, pins.plugin_versions()[name]]
        environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": str(home())}
        try:
            result = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        if result.returncode != 0:
            return False
    return not missing_plugins()


def _reachable() -> bool:
    """Returns whether the server of the releases answers, with any status."""
    request = urllib.request.Request(source() or _RELEASES, method="HEAD")  # noqa: S310 -- the scheme is checked
    try:
        _open(request).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True
