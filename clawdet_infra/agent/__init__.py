"""The program that deploys on a server.

It runs there, on Python 3.11 or later without any package, so these modules use the standard library only.  They travel
as text in the payload of a deployment; `bootstrap.py` makes modules of them.
"""

from __future__ import annotations

import base64
import bz2
import json
from collections.abc import Mapping
from typing import Any

from clawdet_infra.remote.sources import source

# Each imports only those before it.
_MODULES = (
    "names",
    "failures",
    "commands",
    "files",
    "server",
    "install",
    "releases",
    "state",
    "containers",
    "attempts",
    "proxy",
    "gateway",
    "edge",
    "deploy",
)
_GUARD = ("containers", "decide", "memory", "rounds")


def program(*, guard_units: Mapping[str, str], **content: Any) -> dict[str, str]:
    """Return the part of a payload that is the program: its first text, and packed, its modules and `content`.

    `guard_units` are the systemd units that run the guard, by name.  The payload is kept in the state once a customer,
    and the whole state is written again and again; hence the packing.  bzip2 gives the same bytes on every machine,
    where the outputs of zlib's variants differ, and a different payload would be a deployment.
    """
    modules = {f"clawdet_infra.{name}": source(f"../{name}") for name in ("redaction", "readiness")}
    modules |= {f"clawdet_infra.remote.{name}": source(name) for name in _MODULES}
    guard = {"clawdet_infra.remote.guard.__init__": source("guard/__init__")}
    guard |= {f"clawdet_infra.remote.guard.{name}": source(f"guard/{name}") for name in _GUARD}
    text = json.dumps({"modules": modules, "guard_modules": guard, "guard_units": dict(guard_units), **content})
    return {"program": source("bootstrap"), "packed": base64.b85encode(bz2.compress(text.encode())).decode()}
