"""What people are told, in plain text that no chat program takes for markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["raised", "reminder", "resolved", "test"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
# What starts markup or a mention in Markdown, Slack, Discord, Telegram or HTML, and what it is shown as instead.
_LOOKALIKES = str.maketrans({"<": "‹", ">": "›", "`": "'", "*": "∗", "[": "⟦", "]": "⟧", "\\": "⧵", "|": "¦", "~": "∼"})
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_MENTION = re.compile(r"@(?=\w)")
_ENTITY = re.compile(r"&(?=#?\w+;)")


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One message to people.  `key` is the alert's that it is about, and empty for a test.

    One that `can_wait` is sent as information, whatever its kind.
    """

    kind: Kind
    title: str
    body: str
    key: str = ""
    can_wait: bool = False


@dataclass(frozen=True)
class Delivery:
    """What became of a notice at one channel; `problem` says in a sentence why it did not arrive."""

    channel: str
    arrived: bool
    problem: str = ""


def plain(text: str, longest: int = 300) -> str:
    """Return text from elsewhere in one line of at most `longest` characters, with nothing that could act as markup.

    A server's answer may hold anything; it is shown to people by programs that turn some of it into links, mentions
    and formatting.
    """
    flat = " ".join(_CONTROL.sub(" ", text).split()).translate(_LOOKALIKES)
    flat = _ENTITY.sub("＆", _MENTION.sub("＠", flat))
    flat = _EDGE_UNDERSCORE.sub(lambda match: "＿" * len(match[0]), flat)
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def moment(at: datetime) -> str:
    """Return a time as people read it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def sample_notification(now: datetime, sender: str) -> Notification:
    """Return the notice that shows whether a channel works; `sender` says which machine it comes from."""
    return Notification(
        kind="test",
        title="[clawdet] Test: alerts arrive here",
        body=f"This is a test from {plain(sender)} at {moment(now)}. Nothing is wrong.\n"
        "Alerts name the customer, the server, what was seen, what was done and what to do next.",
    )
