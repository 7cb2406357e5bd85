"""The agent as one file that Python runs: its modules, and the files of deployments that are the same for all."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import shlex
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
"""The folder of the texts that deployments are made of."""

FIREWALL_UNIT = "clawdet-container-firewall.service"
WATCHDOG_SERVICE, WATCHDOG_TIMER = "clawdet-guard.service", "clawdet-guard.timer"
UNITS = (FIREWALL_UNIT, WATCHDOG_SERVICE, WATCHDOG_TIMER)
"""The systemd units that run the agent."""

SHARED_FILES = (
    "caddy/entry.caddyfile",
    "gateway/compile-cache.mjs",
    "gateway/handoff/index.mjs",
    "gateway/handoff/openclaw.plugin.json",
    "gateway/merge-config.mjs",
    "gateway/openclaw.defaults.json",
    "gateway/settings.mjs",
    "gateway/start-proxy.sh",
)
"""Files of deployments that are the same for all customers, by their paths in the folder of the templates."""

_CODE = Path(__file__).resolve().parents[1]
# What the agent shares with the rest of the program.
_SHARED_MODULES = ("error_line.py", "redaction.py")
_START = "import sys\n\nfrom clawdet_infra.agent.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
_FILES = "files"


@dataclass(frozen=True)
class Package:
    """The agent's one file, by its content; `path` is where it lies if it is a file already."""

    content: bytes
    path: Path | None = None

    @functools.cached_property
    def digest(self) -> str:
        """A name for the content: 16 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def base64(self) -> str:
        """The content in base64, as `bring_command` takes it."""
        return base64.b64encode(self.content).decode()

    def file(self, name: str) -> str:
        """Return one of `SHARED_FILES`, or one of `UNITS`."""
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            return archive.read(f"{_FILES}/{name}").decode()

    @classmethod
    def running(cls) -> Package:
        """Return the package that runs here."""
        path = Path(sys.argv[0])
        return cls(path.read_bytes(), path)


@functools.cache
def build() -> Package:
    """Return the agent of this checkout; the same bytes on every machine."""
    modules = sorted([*(_CODE / name for name in _SHARED_MODULES), *(_CODE / "agent").rglob("*.py")])
    texts = {str(Path(_CODE.name, path.relative_to(_CODE))): path.read_text(encoding="utf-8") for path in modules}
    texts |= {f"{_CODE.name}/__init__.py": "", "__main__.py": _START}
    texts |= {f"{_FILES}/{name}": shared_file(name) for name in SHARED_FILES}
    texts |= {f"{_FILES}/{name}": shared_file(f"host/{name}") for name in UNITS}
    packed = io.BytesIO()
    # Not compressed: the variants of zlib differ in what they make of the same text.
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in sorted(texts.items()):
            archive.writestr(zipfile.ZipInfo(name), text)
    return Package(packed.getvalue())


def bring_command(path: str) -> str:
    """Return the shell command that puts a package, given in base64 on stdin, at a path."""
    target, new = shlex.quote(path), f"{shlex.quote(path)}.new-$$"
    return f'umask 022; mkdir -p "$(dirname {target})" && base64 -d > {new} && mv {new} {target}'


@functools.cache
def shared_file(path: str) -> str:
    """Return a file of the templates' folder that needs no values, without what only its readers need."""
    return bare(path.rpartition("/")[2], (TEMPLATES / path).read_text(encoding="utf-8"))


def bare(name: str, text: str) -> str:
    """Return the text of a deployment's file without comments and empty lines, which only readers of templates need."""
    if name.endswith(".json"):
        return text
    mark = "//" if name.endswith(".mjs") else "#"
    lines = (line for line in text.split("\n") if line.startswith("#!") or not line.lstrip().startswith(mark))
    # Indentation says something in YAML, and nothing in JavaScript, where no text here has more than one line.
    return "".join(f"{line.lstrip() if mark == '//' else line}\n" for line in lines if line)
