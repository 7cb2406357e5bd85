"""The pinned versions.

Each version is written once, where its tool reads it: those of the Python packages in `requirements/runtime.txt`, those
of the Go modules in the `go.mod` files. A plugin has the version of its Python package, because the engine requests
that version.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from toolchain.errors import EngineError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

GO = ROOT / "toolchain" / "go"
"""The folder of the Go modules."""

PLUGINS = ("hcloud", "random", "docker", "command")

_SDK = "github.com/pulumi/pulumi/sdk/v3"
_PIN = re.compile(r"^pulumi(?:-(?P<plugin>[a-z]+))?==(?P<version>[0-9.]+)", re.MULTILINE)


@functools.cache
def plugin_versions() -> Mapping[str, str]:
    """Returns the version of each plugin, by name."""
    lock = ROOT / "requirements" / "runtime.txt"
    found = {match["plugin"]: match["version"] for match in _PIN.finditer(lock.read_text("utf-8"))}
    missing = [name for name in PLUGINS if name not in found]
    if missing:
        raise EngineError(f"{lock} does not pin pulumi-{', pulumi-'.join(missing)}")
    return {name: found[name] for name in PLUGINS}


@functools.cache
def module_version(folder: str, module: str) -> str:
    """Returns the version, without the leading v, of a module that a folder of `toolchain/go` requires."""
    go_mod = GO / folder / "go.mod"
    match = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", go_mod.read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise EngineError(f"{go_mod} does not require {module}")
    return match[1]


def cli_version() -> str:
    """Returns the version of the command line that is built here."""
    return module_version("cli", "github.com/pulumi/pulumi/pkg/v3")


def language_host_version() -> str:
    """Returns the version of the language host that is built here: the last one in a published module."""
    return module_version("language-python", _SDK)


def sdk_version() -> str:
    """Returns the version of the SDK that provides the scripts beside the language host."""
    return module_version("cli", _SDK)


@functools.cache
def least_go() -> tuple[int, ...]:
    """Returns the minimum Go version that can build every module, as numbers."""
    found = [re.search(r"^go (\d+(?:\.\d+)*)$", path.read_text("utf-8"), re.MULTILINE) for path in GO.glob("*/go.mod")]
    return max(numbers(match[1]) for match in found if match)


def numbers(version: str) -> tuple[int, ...]:
    """Returns a version such as `3.259.0` as numbers, for comparison. A suffix (`-rc1`) is left out."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(number) for number in match[1].split(".")) if match else ()
