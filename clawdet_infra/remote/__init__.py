"""The program that deploys on a server.

It runs there, on Python 3.11 or later without any package, so these modules use the standard library only.  They travel
as text in the payload of a deployment; `bootstrap.py` makes modules of them.
"""

from __future__ import annotations

import base64
import bz2
import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_MODULES = ("failures", "commands", "server", "releases", "state", "containers", "gateway", "edge", "deploy")


def program(**content: Any) -> dict[str, str]:
    """Return the part of a payload that is the program: its first text, and packed, its modules and `content`.

    The payload is kept in the state once a customer, and the whole state is written again and again; hence the
    packing.  bzip2 gives the same bytes on every machine, where the outputs of zlib's variants differ, and a different
    payload would be a deployment.
    """
    modules = {"clawdet_infra.redaction": _source("../redaction")}
    modules |= {f"clawdet_infra.remote.{name}": _source(name) for name in _MODULES}
    text = json.dumps({"modules": modules, **content})
    return {"program": _source("bootstrap"), "packed": base64.b85encode(bz2.compress(text.encode())).decode()}


def _source(name: str) -> str:
    return (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
