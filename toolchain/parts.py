"""The parts of the engine, and the build of each."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain import pins

_FORMAT = 1
"""Increment this if the build changes in a way that no other input of the fingerprint shows."""


@dataclass(frozen=True)
class Part:
    """One program, and the inputs of its build."""

    name: str
    """`pulumi`, `language-python`, or the name of a plugin."""
    version: str
    module: str
    """The folder of its Go module, below `toolchain/go`."""
    package: str
    """The Go package to build, as the argument of `go build` in that folder."""
    binary: str
    """The name of the program."""
    link: str = ""
    """The variable that the linker sets, as the argument of `-X`."""
    sources: tuple[str, ...] = ()
    """Globs of its own source files, below the folder of the module."""
    scripts: tuple[str, ...] = ()
    """Files of Pulumi's SDK for Go, in the command line's version, that belong beside the program."""

    @property
    def is_plugin(self) -> bool:
        """Whether the engine looks for it in its plugin cache, instead of beside `pulumi`."""
        return self.binary.startswith("pulumi-resource-")

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files that the build creates."""
        return (self.binary, *(Path(script).name for script in self.scripts))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change whenever the result of the build would."""
        return _fingerprint(self)


@functools.cache
def _fingerprint(part: Part) -> str:
    digest = hashlib.sha256()
    scripts = (pins.sdk_version(), *part.scripts) if part.scripts else ()
    recipe = (_FORMAT, platform.system(), platform.machine(), part.version, part.package, part.link, scripts)
    digest.update(json.dumps(recipe).encode())
    folder = pins.GO / part.module
    for path in sorted({folder / "go.mod", folder / "go.sum", *_sources(part)}):
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _sources(part: Part) -> Iterator[Path]:
    for glob in part.sources:
        yield from (path for path in (pins.GO / part.module).glob(glob) if not path.name.endswith("_test.go"))


@functools.cache
def all_parts() -> tuple[Part, ...]:
    """Returns all parts in build order: the large one first, because others share its packages."""
    version = pins.plugin_versions()
    return (
        Part(
            name="pulumi",
            version=pins.cli_version(),
            module="cli",
            package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            binary="pulumi",
            link=f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{pins.cli_version()}",
        ),
        Part(
            name="language-python",
            version=pins.language_host_version(),
            module="language-python",
            package="github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
            binary="pulumi-language-python",
            scripts=("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"),
        ),
        *(_bridged(name, version[name]) for name in pins.PLUGINS if name != "command"),
        Part(
            name="command",
            version=version["command"],
            module="command",
            package=".",
            binary="pulumi-resource-command",
            link=f"main.version={version['command']}",
            sources=("**/*.go",),
        ),
    )


def _bridged(name: str, version: str) -> Part:
    """Returns the part of a plugin that bridges a Terraform provider."""
    return Part(
        name=name,
        version=version,
        module="providers",
        package=f"./cmd/pulumi-resource-{name}",
        binary=f"pulumi-resource-{name}",
        link=f"clawdet.com/engine/providers/internal/plugin.Version={version}",
        sources=(f"cmd/pulumi-resource-{name}/*.go", "internal/**/*.go", f"shim/{name}/*"),
    )
