"""What the options mean that `clawdet up` hands on to `pulumi up`."""

from __future__ import annotations

import os
from collections.abc import Sequence

YES = ("--yes", "-y")
SKIP_PREVIEW = ("--skip-preview", "-f")
NON_INTERACTIVE = "--non-interactive"
EVENT_LOG = "--event-log"

_OF_UPDATES = (*YES, *SKIP_PREVIEW, "--continue-on-error", "--expect-no-changes", "--json", "-j")
"""What `pulumi up` takes and our preview must not."""
_WITH_A_VALUE = ("--plan", EVENT_LOG)
"""The same, of those that the next argument belongs to."""

_ENGINE_TEXT = ("--diff", "--json", "-j", EVENT_LOG, "--debug", "-d", "--strict")
"""What asks for the engine's own text, as does every `--show-…`; or for its own preview."""

_IN_PART = ("--target", "-t", "--exclude", "-x", "--config", "-c", "--plan")
"""With these an update does not make all of what the stack's file says."""


def has(arguments: Sequence[str], options: Sequence[str]) -> bool:
    """Return whether one of some options is among arguments, alone or with a value."""
    return any(one.partition("=")[0] in options for one in arguments)


def is_confirmed(arguments: Sequence[str]) -> bool:
    """Return whether an update was confirmed already: by an option, or by a variable of the engine's."""
    told = os.environ.get("PULUMI_SKIP_CONFIRMATIONS", "").lower() in ("1", "true")
    return told or has(arguments, (*YES, *SKIP_PREVIEW))


def asks_for_engine_text(arguments: Sequence[str]) -> bool:
    """Return whether an option is about the engine's own text or preview."""
    return has(arguments, _ENGINE_TEXT) or any(one.startswith("--show-") for one in arguments)


def is_partial(arguments: Sequence[str]) -> bool:
    """Return whether an update does not make all of what the stack's file says."""
    return has(arguments, _IN_PART)


def for_preview(arguments: Sequence[str]) -> list[str]:
    """Return those arguments of an update that decide what it does."""
    kept: list[str] = []
    left_out = False
    for one in arguments:
        if left_out:
            left_out = False
        elif one in _WITH_A_VALUE:
            left_out = True
        elif not has([one], (*_OF_UPDATES, *_WITH_A_VALUE)):
            kept.append(one)
    return kept
