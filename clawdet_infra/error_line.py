"""Errors on their way through another program: a line that begins with a code, such as `[clawdet:unhealthy] …`.

The program that Pulumi runs, the deployment on a server and the health check report errors as text, which the engine
wraps into text of its own.  The reader decides by the code at the beginning of the line, and `read` takes it off before
anybody sees it.  The rest of the line is for people, and may change.

This travels to servers with `clawdet_infra.agent`, so it uses the standard library only.
"""

from __future__ import annotations

import re
from enum import StrEnum

_MARK = re.compile(r"^[ \t]*(?:error:[ \t]*)?\[clawdet:(?P<code>[a-z][a-z-]{0,30})\] ", re.MULTILINE)


class FailureCode(StrEnum):
    """What failed in a process that another one started."""

    CONFIGURATION = "configuration"
    """The stack's configuration breaks rules.  Each line below is one problem."""
    SETUP = "setup"
    """The base or the engine is not as it has to be."""
    CAPACITY = "capacity"
    """The provider has no room, or allows no more for now."""
    POLICY = "policy"
    """A policy refuses the update."""
    IMAGE = "image"
    """An image was not found, or its registry does not answer."""
    DEPLOYMENT = "deployment"
    """The server could not do a step of the deployment."""
    LOCK_HELD = "lock-held"
    """Another deployment of the customer did not end in time."""
    NOT_READY = "not-ready"
    """The release started and did not get ready."""
    UNHEALTHY = "unhealthy"
    """The customer does not answer from outside as it should."""
    INPUT = "input"
    """The process was started with an input that it does not understand."""
    INTERNAL = "internal"
    """The process met an exception that it does not expect."""
    UNKNOWN = "unknown"
    """A code that this release does not know, such as that of a newer one."""


def marked(code: FailureCode, text: str) -> str:
    """Return an error's text with its code at the beginning of its first line."""
    return f"[clawdet:{code}] {text}"


def read(text: str) -> tuple[FailureCode | None, str]:
    """Return the code of a text and what follows it; None and the whole text where no line begins with a code.

    A code inside a line is none: what an error quotes, such as a container's log, does not decide.
    """
    found = _MARK.search(text)
    if found is None:
        return None, text
    try:
        code = FailureCode(found["code"])
    except ValueError:
        code = FailureCode.UNKNOWN
    return code, text[found.end() :]
