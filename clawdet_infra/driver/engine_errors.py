"""What the engine's error messages say, without the words that it puts around them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clawdet_infra.error_line import FailureCode, read

LONGEST = 500

# What the engine says besides, when something else has failed.
_NOISE = ("update failed", "resource registration failed", "preview failed")
# What was cut off because something else has failed, as Go words it.
_CUT_OFF = "context canceled"
# A failed command is quoted whole before what it printed.
_STATUS = re.compile(r"Process exited with status|exit status")
# What is wrong with the stack, its passphrase or the stack that it reads from.
_SETUP = re.compile(r"passphrase|no stack named|required output")
# What the engine, its plugins and the libraries of those put around a provider's own message.
_AROUND = re.compile(
    r"\S+\.go:\d+: sdk\.helper_schema: "
    r"|: provider=\S+@\S+"
    r"|\d+ errors? occurred:\s*\*\s*"
    r"|(?:creating|updating|deleting|reading|refreshing) urn:pulumi:\S+: "
)


@dataclass(frozen=True)
class Failure:
    """Why something failed: a sentence for people, and the code where a program of this project gave one."""

    sentence: str
    code: FailureCode | None = None


def reason(message: str) -> str:
    """Return the sentence of an error message that says why; "" where it only says that something else failed.

    Of a command that failed, it is the last line that the command printed.
    """
    return failure(message).sentence


def failure(message: str) -> Failure:
    """Return the same sentence with the code that came with it."""
    code, text = read(message)
    told = _telling(text)
    if code is not None:
        return Failure(" ".join(told), code)
    if any(_STATUS.search(line) for line in told):
        return Failure(told[-1])
    return Failure(_AROUND.sub("", " ".join(told))[:LONGEST].strip())


def is_about_setup(said: str) -> bool:
    """Return whether the engine says that a stack or its passphrase is not as it has to be."""
    return bool(_SETUP.search(said))


def _telling(message: str) -> list[str]:
    """Return the lines of a message that do not only say that something else failed."""
    lines = (line.strip().removeprefix("error:").strip() for line in message.splitlines())
    return [line for line in lines if line and not line.startswith(_NOISE) and not line.endswith(_CUT_OFF)]


def last_error(printed: str) -> str:
    """Return why a command of the engine failed, from all that it printed; "" where it does not say.

    This is for what fails before there are events: a lock, a passphrase, an option.
    """
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    told = [why for line in lines if line.startswith("error:") and (why := reason(line))]
    return told[-1] if told else reason("\n".join(lines[-1:]))
