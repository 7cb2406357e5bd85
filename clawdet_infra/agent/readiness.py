"""What a gateway says of itself at `/startupz` and `/readyz`, judged alike by deployments and by probes from outside.

`/startupz` says whether the gateway started, and decides whether it serves.  `/readyz` covers the customer's channels
too: one that cannot reach its service makes it false while the gateway serves everything else.  So of `/readyz` only
what the gateway says of its own data counts against it.  Releases before 2026.8.1 do not serve `/startupz`.

This travels to servers with `clawdet_infra.agent`, so it uses the standard library only.
"""

from __future__ import annotations

import json
import re
from typing import Any

# What of `failing` concerns the gateway's own data; the gateway cannot work without them.
_DATA = ("agent-database:", "state-database")
_LONGEST_NAME = 40
_MOST_NAMES = 8
_UNFIT = re.compile(r"[^A-Za-z0-9._:@/-]+")
# What of `failing` is not a channel.
_OWN = ("startup-", "gateway-draining", "plugin-reload", "internal", "agent-database:", "state-database")


def has_started(status: int, text: str) -> bool | None:
    """Return whether `/startupz` says that the gateway started; None where the gateway does not serve that path.

    A path that it does not serve is answered with its page or with 404, and by a proxy that asks for a password there
    with 401: the body has no `status` then.
    """
    body = json_object(text)
    if "status" not in body:
        return None if status in (200, 401, 404) else False
    return status == 200 and body.get("ok") is True and body["status"] == "started"


def is_ready(status: int, text: str) -> bool:
    """Return whether `/readyz` says that all is ready; its body decides, since unknown paths answer 200 too."""
    return status == 200 and json_object(text).get("ready") is True


def failing(text: str) -> list[str]:
    """Return the names of what `/readyz` says is not ready, as it says them: only callers with the token are told."""
    names = json_object(text).get("failing")
    return [one for one in names if isinstance(one, str)] if isinstance(names, list) else []


def refuses_data(text: str) -> bool:
    """Return whether `/readyz` says that the gateway refuses data of its own."""
    return any(one.startswith(_DATA) for one in failing(text))


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is, and an empty one where it is anything else, however it was built."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def not_ready(text: str) -> tuple[str, ...]:
    """Return what `/readyz` names as not ready, of harmless characters, and bounded in length and number.

    Empty where all is ready, and where it does not say what is not.
    """
    found = dict.fromkeys(_UNFIT.sub("", one)[:_LONGEST_NAME] for one in failing(text)[:_MOST_NAMES])
    return tuple(filter(None, found))


def sentence(names: tuple[str, ...]) -> str:
    """Say what of a gateway that serves is not ready, such as `channel not ready: telegram`; nothing where all is."""
    if not names:
        return ""
    channels = not any(one.startswith(_OWN) for one in names)
    noun = "" if not channels else "channel " if len(names) == 1 else "channels "
    return f"{noun}not ready: {', '.join(names)}"
