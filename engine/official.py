"""The official releases: one that is installed already, and the download of one."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import cache, pins

BELOW = (4,)
"""A `pulumi` on PATH fits from the version that `engine/go/cli` pins, up to this one. Older ones lack what the pinned
Python SDK may ask of them, and the next major version may break programs."""

BUILT_MARK = ".built-by-clawdet"
"""A file beside a `pulumi` that was built here. In an activated shell that one is on PATH too."""

_RELEASES = "https://get.pulumi.com/releases/sdk"
_ANSWER_WITHIN = 5.0
"""How long a server may stay silent before it counts as unreachable, in seconds."""


@dataclass(frozen=True)
class Release:
    """An official `pulumi` with its language host beside it."""

    folder: Path
    version: str
    downloaded: bool
    """Whether it was downloaded into our cache, and is not on PATH by itself."""


def source() -> str | None:
    """Where releases come from; None if CLAWDET_ENGINE_INSTALLER is `off`. It may also name a mirror."""
    chosen = os.environ.get("CLAWDET_ENGINE_INSTALLER", "").strip()
    if chosen.lower() == "off":
        return None
    return chosen.rstrip("/") or _RELEASES


def find() -> Release | None:
    """The release on PATH if it fits, else the one in the cache."""
    for folder in _path_folders():
        program = folder / "pulumi"
        if not os.access(program, os.X_OK) or (program.resolve().parent / BUILT_MARK).exists():
            continue
        version = _version(program)
        whole = (program.resolve().parent / "pulumi-language-python").exists()
        if whole and pins.numbers(pins.cli_version()) <= pins.numbers(version) < BELOW:
            return Release(folder, version, downloaded=False)
        break  # The shell would run this one, so what comes behind it does not matter.
    folder = _downloads() / pins.cli_version() / "pulumi"
    if (folder / "pulumi").exists():
        return Release(folder, pins.cli_version(), downloaded=True)
    return None


def _path_folders() -> Iterator[Path]:
    """The folders of PATH that may hold an official release. Ours are skipped: whoever wants them finds them anyway."""
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if entry and not Path(entry).resolve().is_relative_to(cache.engine().resolve()):
            yield Path(entry)


def _downloads() -> Path:
    return cache.engine() / "official"


def _version(program: Path) -> str:
    """What a `pulumi` calls itself. It takes a moment to say so, so the answer is kept while the file is the same."""
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


def download() -> Release | None:
    """Downloads the pinned release. None if it cannot be had, which is found out within seconds."""
    base = source()
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    if base is None or machine is None:
        return None
    version = pins.cli_version()
    url = f"{base}/pulumi-v{version}-{platform.system().lower()}-{machine}.tar.gz"
    if not url.startswith(("https://", "http://")):
        return None
    target = _downloads() / version
    try:
        with tempfile.TemporaryFile() as archive:
            with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN) as response:  # noqa: S310 -- the scheme is checked
                shutil.copyfileobj(response, archive)
            archive.seek(0)
            with cache.publish(target) as made, tarfile.open(fileobj=archive, mode="r:gz") as files:
                files.extractall(made, filter="data")
                if _version(made / "pulumi" / "pulumi") != version:
                    raise ValueError(f"{url} is not pulumi {version}")
    except (OSError, ValueError, tarfile.TarError, urllib.error.URLError):
        return None
    return find()


def home() -> Path:
    """The folder in which an official release keeps its plugins."""
    chosen = os.environ.get("PULUMI_HOME")
    if chosen and not (Path(chosen) / BUILT_MARK).exists():
        return Path(chosen)
    return Path.home() / ".pulumi"


def missing_plugins() -> list[str]:
    """The names of the pinned plugins that are not in the cache of the official release."""
    versions = pins.plugin_versions()
    return [
        name
        for name, version in versions.items()
        if not (home() / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}").exists()
    ]


def install_plugins(release: Release) -> bool:
    """Lets an official release download the plugins that are missing. False if one cannot be had."""
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
    """Whether the server of the releases answers at all, with whatever status."""
    request = urllib.request.Request(source() or _RELEASES, method="HEAD")  # noqa: S310 -- one of two known schemes
    try:
        urllib.request.urlopen(request, timeout=_ANSWER_WITHIN).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True
