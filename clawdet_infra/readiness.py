"""What a gateway says of itself at `/startupz` and `/readyz`, judged alike by deployments and by probes from outside.

`/startupz` says whether the gateway started, and decides whether it serves.  `/readyz` covers the customer's channels
too: one that cannot reach its service makes it false while the gateway serves everything else.  So of `/readyz` only
what the gateway says of its own data counts against it.  Releases before 2026.8.1 do not serve `/startupz`.

This travels to servers with `clawdet_infra.remote`, so it uses the standard library only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_LONGEST_NAME = 40
_MOST_NAMES = 8
_UNFIT = re.compile(r"[^A-Za-z0-9._:@/-]+")
# What of `failing` concerns the gateway's own data; the gateway cannot work without them, and a restart may mend it.
_DATA = ("agent-database:", "state-database")
# What else of `failing` is not a channel.
_OWN = ("startup-", "gateway-draining", "plugin-reload", "internal")


@dataclass(frozen=True)
class Readiness:
    """What `/readyz` said: what of the gateway's own data it refuses, and what else is not ready, normally channels.

    The names are the gateway's, of harmless characters and bounded in length and number.  Both are empty where it is
    ready, and where it did not say what is not.
    """

    broken: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()


def has_started(status: int, text: str) -> bool | None:
    """Return whether `/startupz` says that the gateway started; None where the gateway does not serve that path.

    A path that it does not serve is answered with its page or with 404, and by a proxy that asks for a password there
    with 401: the body has no `status` then.
    """
    body = json_object(text)
    if body is None or not isinstance(body.get("status"), str):
        return None if status in (200, 401, 404) else False
    return status == 200 and body.get("ok") is True and body["status"] == "started"


def is_ready(status: int, text: str) -> bool:
    """Return whether `/readyz` says that all is ready; its body decides, since unknown paths answer 200 too."""
    body = json_object(text)
    return status == 200 and body is not None and body.get("ready") is True


def readiness(text: str) -> Readiness:
    """Return what `/readyz` says is not ready.  Only callers that show the gateway's token are told."""
    body = json_object(text)
    if body is None or body.get("ready") is not False or not isinstance(body.get("failing"), list):
        return Readiness()
    names = dict.fromkeys(_name(one) for one in body["failing"][:_MOST_NAMES] if isinstance(one, str))
    broken = tuple(one for one in names if one.startswith(_DATA))
    return Readiness(broken, tuple(one for one in names if one and one not in broken))


def sentence(not_ready: tuple[str, ...]) -> str:
    """Say what of a gateway that serves is not ready, such as `channel not ready: telegram`; nothing where all is."""
    if not not_ready:
        return ""
    channels = not any(one.startswith(_OWN) for one in not_ready)
    noun = "" if not channels else "channel " if len(not_ready) == 1 else "channels "
    return f"{noun}not ready: {', '.join(not_ready)}"


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None where it is anything else, however it was built."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _name(text: str) -> str:
    return _UNFIT.sub("", text)[:_LONGEST_NAME]
