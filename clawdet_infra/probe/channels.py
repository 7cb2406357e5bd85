"""What of a gateway that serves is not ready, by its own word: normally channels that do not reach their service."""

from __future__ import annotations

import re

from clawdet_infra.agent.readiness import failing

_LONGEST_NAME = 40
_MOST_NAMES = 8
_UNFIT = re.compile(r"[^A-Za-z0-9._:@/-]+")
# What of `failing` is not a channel.
_OWN = ("startup-", "gateway-draining", "plugin-reload", "internal", "agent-database:", "state-database")


def names(text: str) -> tuple[str, ...]:
    """Return what `/readyz` names as not ready, of harmless characters, and bounded in length and number.

    Empty where all is ready, and where it does not say what is not.
    """
    found = dict.fromkeys(_UNFIT.sub("", one)[:_LONGEST_NAME] for one in failing(text)[:_MOST_NAMES])
    return tuple(filter(None, found))


def sentence(not_ready: tuple[str, ...]) -> str:
    """Say what of a gateway that serves is not ready, such as `channel not ready: telegram`; nothing where all is."""
    if not not_ready:
        return ""
    channels = not any(one.startswith(_OWN) for one in not_ready)
    noun = "" if not channels else "channel " if len(not_ready) == 1 else "channels "
    return f"{noun}not ready: {', '.join(not_ready)}"
