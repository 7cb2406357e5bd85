"""What the engine's error messages say, without the words that it puts around them."""

from __future__ import annotations

import re

LONGEST = 500

# What the engine says besides, when something else has failed.
_NOISE = ("update failed", "resource registration failed", "preview failed")
# What was cut off because something else has failed, as Go words it.
_CUT_OFF = "context canceled"
# A failed command is quoted whole before what it printed.
_STATUS = re.compile(r"Process exited with status|exit status")
# What the engine, its plugins and the libraries of those put around a provider's own message.
_AROUND = re.compile(
    r"\S+\.go:\d+: sdk\.helper_schema: "
    r"|: provider=\S+@\S+"
    r"|\d+ errors? occurred:\s*\*\s*"
    r"|(?:creating|updating|deleting|reading|refreshing) urn:pulumi:\S+: "
)


def reason(message: str) -> str:
    """Return the sentence of an error message that says why; "" where it only says that something else failed.

    Of a command that failed, it is the last line that the command printed.
    """
    lines = (line.strip().removeprefix("error:").strip() for line in message.splitlines())
    told = [line for line in lines if line and not line.startswith(_NOISE) and not line.endswith(_CUT_OFF)]
    if any(_STATUS.search(line) for line in told):
        return told[-1]
    return _AROUND.sub("", " ".join(told))[:LONGEST].strip()


def last_error(printed: str) -> str:
    """Return why a command of the engine failed, from all that it printed; "" where it does not say.

    This is for what fails before there are events: a lock, a passphrase, an option.
    """
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    told = [why for line in lines if line.startswith("error:") and (why := reason(line))]
    return told[-1] if told else reason("\n".join(lines[-1:]))
