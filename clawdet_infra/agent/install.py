"""Installs the guard (`clawdet_infra.remote.guard`) and the containers' firewall on this server, or newer ones.

The first boot brings the firewall too, but not to a server that existed before, and never a newer one.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawdet_infra.remote.commands import must, run
from clawdet_infra.remote.files import write

_TIMER = "clawdet-guard.timer"
_MODE = 0o644
_PROGRAM_MODE = 0o755
# What the guard shares with deployments.
_SHARED = ("redaction", "remote.names", "remote.failures", "remote.commands", "remote.files", "remote.server")
_PACKAGES = ("clawdet_infra/__init__.py", "clawdet_infra/remote/__init__.py")
_START = "import sys\n\nfrom clawdet_infra.remote.guard.rounds import main\n\nsys.exit(main())\n"
# The firewall's own chains: where packets reach them from.
_HOOKS = (("DOCKER-USER", "CLAWDET-FORWARD"), ("INPUT", "CLAWDET-INPUT"))


def install_guard(payload: Mapping[str, Any]) -> None:
    """Install the guard that a payload brings, unless it is here and its timer runs."""
    program, units = Path(payload["guard"]["program"]), Path(payload["guard"]["units"])
    modules = payload["guard_modules"]
    modules |= {name: payload["modules"][name] for name in (f"clawdet_infra.{one}" for one in _SHARED)}
    files = {program: archive(modules)}
    files |= {units / name: text.encode() for name, text in payload["guard_units"].items()}
    # Written last: without it, an installation was cut off before systemd knew of it.
    stamp = program.with_suffix(".installed")
    if _is_installed(files, stamp) and run(["systemctl", "is-active", "--quiet", _TIMER], seconds=30).ok:
        return
    stamp.unlink(missing_ok=True)
    for path, content in files.items():
        write(path, content, _MODE)
    for command in (["daemon-reload"], ["enable", "--quiet", _TIMER], ["restart", _TIMER]):
        must(["systemctl", *command], seconds=60, doing="starting the guard")
    write(stamp, b"", _MODE)


def install_firewall(payload: Mapping[str, Any]) -> None:
    """Install the containers' firewall that a payload brings, unless it is here and its rules hold."""
    program, unit = Path(payload["firewall"]["program"]), Path(payload["firewall"]["unit"])
    rules, service = payload["firewall_rules"].encode(), payload["firewall_unit"].encode()
    stamp = Path(payload["firewall"]["installed"])
    if _is_installed({program: rules, unit: service}, stamp) and _holds():
        return
    stamp.unlink(missing_ok=True)
    write(program, rules, _PROGRAM_MODE)
    write(unit, service, _MODE)
    for command in (["daemon-reload"], ["enable", "--quiet", unit.name]):
        must(["systemctl", *command], seconds=60, doing="installing the containers' firewall")
    # Not by a restart of its unit, which would restart Docker, since that requires it.
    must([str(program)], seconds=60, doing="starting the containers' firewall")
    write(stamp, b"", _MODE)


def _is_installed(files: Mapping[Path, bytes], stamp: Path) -> bool:
    return stamp.exists() and all(path.is_file() and path.read_bytes() == new for path, new in files.items())


def _holds() -> bool:
    """Return whether packets pass the firewall's rules, which somebody may have flushed."""
    kinds = ("iptables", "ip6tables") if Path("/proc/net/if_inet6").exists() else ("iptables",)
    return all(run([kind, "-w", "-C", chain, "-j", ours], seconds=30).ok for kind in kinds for chain, ours in _HOOKS)


def archive(modules: Mapping[str, str]) -> bytes:
    """Return modules, given by their full names, as one file that Python runs; the same bytes every time."""
    texts = dict.fromkeys(_PACKAGES, "") | {"__main__.py": _START}
    texts |= {f"{name.replace('.', '/')}.py": text for name, text in modules.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, text in sorted(texts.items()):
            file.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()
